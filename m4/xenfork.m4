dnl SPDX-License-Identifier: LGPL-2.1-or-later

dnl XENFORK_CHECK_LIB(VAR, PKG-CONFIG-NAME, LIBRARY, HEADER, FUNCTION, PACKAGE)
dnl Set VAR_CFLAGS and VAR_LIBS, by pkg-config or else by header and library.
dnl What is absent is noted, for XENFORK_REPORT_MISSING to list all at once.
AC_DEFUN([XENFORK_CHECK_LIB], [
  PKG_CHECK_MODULES([$1], [$2], [], [
    xenfork_found=no
    AC_CHECK_HEADER([$4], [
      AC_CHECK_LIB([$3], [$5], [xenfork_found=yes])], [], [
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
])
    AS_IF([test "x$xenfork_found" = xyes],
          [$1_CFLAGS=; $1_LIBS=-l$3],
          [XENFORK_NOTE_MISSING([lib$3], [$6])])
  ])
])

dnl XENFORK_NOTE_MISSING(WHAT, PACKAGE)
AC_DEFUN([XENFORK_NOTE_MISSING], [
  xenfork_missing="$xenfork_missing
  $1 (Debian package: $2)"
  AS_CASE([" $xenfork_packages "],
          [*" $2 "*], [],
          [xenfork_packages="$xenfork_packages $2"])
])

dnl XENFORK_REPORT_MISSING
AC_DEFUN([XENFORK_REPORT_MISSING], [
  AS_IF([test -n "$xenfork_missing"], [
    AC_MSG_ERROR([these are missing:
$xenfork_missing

On Debian: apt-get install$xenfork_packages])
  ])
])

dnl XENFORK_WARNING(FLAG)
dnl Add FLAG to WARN_CFLAGS if the compiler takes it.  -Werror makes clang
dnl refuse the warning names it does not know.
AC_DEFUN([XENFORK_WARNING], [
  AS_VAR_PUSHDEF([cache], [xenfork_cv_warn_$1])
  AC_CACHE_CHECK([whether $CC accepts $1], [cache], [
    xenfork_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $1"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
                      [AS_VAR_SET([cache], [yes])],
                      [AS_VAR_SET([cache], [no])])
    CFLAGS=$xenfork_save_CFLAGS
  ])
  AS_VAR_IF([cache], [yes], [WARN_CFLAGS="$WARN_CFLAGS $1"])
  AS_VAR_POPDEF([cache])
])

dnl XENFORK_SANITIZER(OPTION, KIND, HELP)
dnl --enable-OPTION: compile and link with -fsanitize=KIND.
AC_DEFUN([XENFORK_SANITIZER], [
  AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$3])],
                [], [enable_$1=no])
  AS_IF([test "x$enable_$1" != xno], [
    AC_MSG_CHECKING([whether $CC can do -fsanitize=$2])
    xenfork_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -fsanitize=$2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])], [
      AC_MSG_RESULT([no])
      AC_MSG_ERROR([--enable-$1: $CC cannot link with -fsanitize=$2])
    ])
    CFLAGS=$xenfork_save_CFLAGS
    SAN_CFLAGS="$SAN_CFLAGS -fsanitize=$2 -fno-sanitize-recover=all"
    SAN_CFLAGS="$SAN_CFLAGS -fno-omit-frame-pointer"
    SAN_LDFLAGS="$SAN_LDFLAGS -fsanitize=$2"
  ])
])

dnl XENFORK_FLAG(MACRO, YES-OR-NO, DESCRIPTION)
dnl A macro of config.h that is always defined, 0 or 1.
AC_DEFUN([XENFORK_FLAG], [
  AS_IF([test "x$2" = xyes], [xenfork_flag=1], [xenfork_flag=0])
  AC_DEFINE_UNQUOTED([$1], [$xenfork_flag], [$3])
])

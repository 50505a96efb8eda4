/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/open.c: libxl's children have none of our locks, nor the keeper's pipe.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/lock.h"
#include "xen/handles.h"

uid_t __wrap_geteuid(void);
xencall_handle *__wrap_xencall_open(xentoollog_logger *logger,
                                    unsigned int flags);
int __wrap_xencall_close(xencall_handle *handle);
xenforeignmemory_handle *__wrap_xenforeignmemory_open(xentoollog_logger *logger,
                                                      unsigned int flags);
int __wrap_xenforeignmemory_close(xenforeignmemory_handle *handle);
xc_interface *__wrap_xc_interface_open(xentoollog_logger *logger,
                                       xentoollog_logger *dombuild,
                                       unsigned int flags);
int __wrap_xc_interface_close(xc_interface *handle);
struct xs_handle *__wrap_xs_open(unsigned long flags);
void __wrap_xs_close(struct xs_handle *handle);
int __wrap_libxl_ctx_alloc(libxl_ctx **xl_out, int version, unsigned int flags,
                           xentoollog_logger *logger);
int __wrap_libxl_ctx_free(libxl_ctx *xl);
void __wrap_libxl_childproc_setmode(libxl_ctx *xl,
                                    const libxl_childproc_hooks *hooks,
                                    void *user);
void __wrap_libxl_event_register_callbacks(libxl_ctx *xl,
                                           const libxl_event_hooks *hooks,
                                           void *user);

static char handle; /* stands for every one, and is never looked into */
static int open_handles;
static const libxl_childproc_hooks *hooks;
static void *hooks_user;

static void *take_handle(void)
{
    open_handles++;
    return &handle;
}

uid_t __wrap_geteuid(void)
{
    return 0;
}

xencall_handle *__wrap_xencall_open(xentoollog_logger *logger,
                                    unsigned int flags)
{
    (void)logger;
    (void)flags;
    return take_handle();
}

int __wrap_xencall_close(xencall_handle *h)
{
    (void)h;
    return open_handles--, 0;
}

xenforeignmemory_handle *__wrap_xenforeignmemory_open(xentoollog_logger *logger,
                                                      unsigned int flags)
{
    (void)logger;
    (void)flags;
    return take_handle();
}

int __wrap_xenforeignmemory_close(xenforeignmemory_handle *h)
{
    (void)h;
    return open_handles--, 0;
}

xc_interface *__wrap_xc_interface_open(xentoollog_logger *logger,
                                       xentoollog_logger *dombuild,
                                       unsigned int flags)
{
    (void)logger;
    (void)dombuild;
    (void)flags;
    return take_handle();
}

int __wrap_xc_interface_close(xc_interface *h)
{
    (void)h;
    return open_handles--, 0;
}

struct xs_handle *__wrap_xs_open(unsigned long flags)
{
    (void)flags;
    return take_handle();
}

void __wrap_xs_close(struct xs_handle *h)
{
    (void)h;
    open_handles--;
}

int __wrap_libxl_ctx_alloc(libxl_ctx **xl_out, int version, unsigned int flags,
                           xentoollog_logger *logger)
{
    (void)version;
    (void)flags;
    (void)logger;
    *xl_out = take_handle();
    return 0;
}

int __wrap_libxl_ctx_free(libxl_ctx *xl)
{
    if (xl)
        open_handles--;
    return 0;
}

void __wrap_libxl_childproc_setmode(libxl_ctx *xl,
                                    const libxl_childproc_hooks *mode,
                                    void *user)
{
    (void)xl;
    hooks = mode;
    hooks_user = user;
}

void __wrap_libxl_event_register_callbacks(libxl_ctx *xl,
                                           const libxl_event_hooks *events,
                                           void *user)
{
    (void)xl;
    (void)user;
    assert_non_null(events->disaster);
}

static char dir[] = "/tmp/xenfork-open-XXXXXX";
static xenfork_ctx ctx;

static int setup(void **state)
{
    (void)state;
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    ctx = (xenfork_ctx){.state_dir = dir, .guard_fd = -1};
    assert_int_equal(xenfork__xen_open(&ctx), 0);
    return 0;
}

static int teardown(void **state)
{
    char path[sizeof(dir) + 16];

    (void)state;
    xenfork__xen_close(&ctx);
    assert_int_equal(open_handles, 0);
    snprintf(path, sizeof(path), "%s/locks", dir);
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Return which of these are open in a child that libxl makes, as bits. */
static int open_in_child(const int fds[], int count)
{
    pid_t pid = hooks->fork_replacement(hooks_user);
    int i, status, bits = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        for (i = 0; i < count; i++)
            bits |= is_open(fds[i]) << i;
        _exit(bits);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_children(void **state)
{
    struct xenfork__lock *one = NULL, *other = NULL;
    int keeper[2], pipe_of_libxl[2], fds[5], i;
    struct stat st;

    (void)state;
    assert_ptr_equal(hooks_user, &ctx);
    assert_int_equal(hooks->chldowner, libxl_sigchld_owner_mainloop);
    assert_int_equal(xenfork__lock_take(&ctx, "one", false, &one), 0);
    assert_int_equal(xenfork__lock_take(&ctx, "other", false, &other), 0);
    assert_int_equal(pipe(keeper), 0);
    assert_int_equal(pipe(pipe_of_libxl), 0);
    assert_int_equal(fstat(keeper[1], &st), 0);
    ctx.keeper = st.st_ino;
    fds[0] = xenfork__lock_fd(one);
    fds[1] = xenfork__lock_fd(other);
    fds[2] = keeper[1];
    fds[3] = pipe_of_libxl[1];
    fds[4] = STDERR_FILENO;
    assert_int_equal(open_in_child(fds, 5), 1 << 3 | 1 << 4);
    for (i = 0; i < 5; i++)
        assert_true(is_open(fds[i]));
    for (i = 0; i < 2; i++) {
        close(keeper[i]);
        close(pipe_of_libxl[i]);
    }
    xenfork__lock_drop(one);
    xenfork__lock_drop(other);
}

/* Without a keeper every pipe is somebody else's. */
static void test_without_keeper(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(open_in_child(ends, 2), 3);
    close(ends[0]);
    close(ends[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_children),
        TEST(test_without_keeper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

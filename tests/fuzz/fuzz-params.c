/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz parameters of clones: files of JSON, and KEY=VALUE. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "memory-file.h"
#include "xl-plugin/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1); /* exact, for the address sanitizer */
    struct memory_file file;
    xenfork_spec *spec;

    if (!text || xenfork_spec_new(2, &spec) < 0)
        abort();
    memcpy(text, data, len);
    text[len] = '\0';
    params_set(spec, text);
    xenfork_spec_set_name(spec, 0, text);
    memory_file_open(&file, data, len);
    params_load(spec, file.path, 2);
    memory_file_close(&file);
    xenfork_spec_free(spec);
    free(text);
    return 0;
}

/* Mistakes in a file are written to stderr, which nobody reads here. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

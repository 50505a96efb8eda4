/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for libFuzzer: runs each file named on the command line once. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define INPUT_MAX 65536

int main(int argc, char **argv)
{
    uint8_t *data = malloc(INPUT_MAX);
    int i;

    if (!data)
        return 1;
    for (i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        size_t len;

        if (!file) {
            perror(argv[i]);
            return 1;
        }
        len = fread(data, 1, INPUT_MAX, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, len);
    }
    free(data);
    return 0;
}

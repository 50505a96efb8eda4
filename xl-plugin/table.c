/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results as a table. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenfork.h>

#include "output.h"

struct table {
    size_t columns;
    bool *is_right;
    char **cells; /* the first row: headings */
    size_t count;
    size_t capacity;
    bool has_failed; /* out of memory: table_print() says so */
};

/* Add a cell, and take TEXT; NULL counts as out of memory. */
static void add_cell(struct table *table, char *text)
{
    if (text && table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        char **cells = reallocarray(table->cells, capacity, sizeof(*cells));

        if (cells) {
            table->cells = cells;
            table->capacity = capacity;
        }
    }
    if (!text || table->count == table->capacity) {
        table->has_failed = true;
        free(text);
        return;
    }
    table->cells[table->count++] = text;
}

static void free_table(struct table *table)
{
    size_t i;

    if (!table)
        return;
    for (i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->is_right);
    free(table);
}

struct table *table_new(const char *const *headings)
{
    struct table *table = calloc(1, sizeof(*table));
    size_t i;

    if (table) {
        while (headings[table->columns])
            table->columns++;
        table->is_right = calloc(table->columns, sizeof(bool));
    }
    if (!table || !table->is_right) {
        fprintf(stderr, "xl: %s\n", strerror(ENOMEM));
        free_table(table);
        return NULL;
    }
    for (i = 0; i < table->columns; i++) {
        table->is_right[i] = headings[i][0] == '>';
        add_cell(table, strdup(headings[i] + table->is_right[i]));
    }
    return table;
}

void table_cell(struct table *table, const char *format, ...)
{
    char *text, *c;
    va_list al;

    va_start(al, format);
    if (vasprintf(&text, format, al) < 0)
        text = NULL;
    va_end(al);
    /* A name may have any byte in it: a line stays a line. */
    for (c = text; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    add_cell(table, text);
}

void table_domid(struct table *table, uint32_t domid)
{
    if (domid == XENFORK_DOMID_NONE)
        table_cell(table, "-");
    else
        table_cell(table, "%u", domid);
}

void table_mib(struct table *table, uint64_t kib)
{
    table_cell(table, "%.1f", kib / 1024.0);
}

static int column_width(const struct table *table, size_t column)
{
    size_t width = 0;
    size_t i;

    for (i = column; i < table->count; i += table->columns) {
        size_t len = strlen(table->cells[i]);

        if (len > width)
            width = len;
    }
    return (int)width;
}

bool table_print(struct table *table)
{
    bool ok = !table->has_failed;
    size_t i;

    if (!ok)
        fprintf(stderr, "xl: %s\n", strerror(ENOMEM));
    for (i = 0; ok && i < table->count; i++) {
        size_t column = i % table->columns;
        bool is_last = column + 1 == table->columns;
        int width = column_width(table, column);

        if (table->is_right[column])
            printf("%*s", width, table->cells[i]);
        else
            printf("%-*s", is_last ? 0 : width, table->cells[i]);
        fputs(is_last ? "\n" : "  ", stdout);
    }
    free_table(table);
    return output_flush() && ok;
}

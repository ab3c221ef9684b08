/* probe.h - how programs that a test asks from outside read and write bytes: in hex, "-" is empty. */
#ifndef CW_TESTS_PROBE_H
#define CW_TESTS_PROBE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/str.h"

/* The bytes live as long as the arena's. What is no hex ends the program. */
static inline struct cw_str probe_unhex(const char *z, struct cw_arena *arena)
{
    if (strcmp(z, "-") == 0)
        return CW_STR("");
    size_t n = strlen(z) / 2;
    char *bytes = cw_arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++) {
        unsigned value;
        if (sscanf(z + 2 * i, "%2x", &value) != 1)
            exit(2);
        bytes[i] = (char)value;
    }
    return cw_str_make(bytes, n);
}

/* "M 6162" and the end of the line. */
static inline void probe_print(char mark, struct cw_str bytes)
{
    printf("%c ", mark);
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", (unsigned char)bytes.ptr[i]);
    putchar('\n');
}

#endif

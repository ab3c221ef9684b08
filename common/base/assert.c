#include "common/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void cw_assert_failed(const char *expression, const char *file, int line)
{
    /* Not through log.c: its state may be what is broken. */
    char text[1024];
    int n = snprintf(text, sizeof text, "%s:%d: assertion failed: %s\n", file, line, expression);
    if (n > 0) {
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t rc = write(STDERR_FILENO, text, len);
        (void)rc; /* nobody is left to tell */
    }
    abort();
}

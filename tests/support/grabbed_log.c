#include "tests/support/grabbed_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *file;
static int real_stderr;

void grabbed_log_begin(void)
{
    file = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    if (file == NULL || real_stderr < 0 || dup2(fileno(file), STDERR_FILENO) < 0)
        abort();
}

const char *grabbed_log_end(unsigned *nlines_out)
{
    static char text[64 << 10];
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    *nlines_out = 0;
    for (const char *at = text; *at; at++)
        *nlines_out += *at == '\n';
    return text;
}

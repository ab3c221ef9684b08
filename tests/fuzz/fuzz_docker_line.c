/*
 * fuzz_docker_line.c - any bytes as a line of Docker's json-file log; the decoded text must fit
 * into the line's own length.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "shipper/docker_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_docker_line line;
    struct cw_err err;
    char *text = malloc(size + 1); /* exactly: the sanitizer sees a byte too many */
    CW_ASSERT(text != NULL);
    if (size > 0 && cw_docker_line_decode(cw_str_make(data, size), text, &line, &err) == 0)
        CW_ASSERT(line.text.ptr == text && line.text.len < size);
    free(text);
    return 0;
}

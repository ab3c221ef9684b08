/*
 * fuzz_glob.c - any pattern on any path: the first line is the pattern, the rest the path.
 */
#include <stddef.h>
#include <stdint.h>
#include "shipper/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str path = cw_str_make(data, size), pattern;
    struct cw_glob *glob;
    struct cw_err err;
    if (!cw_str_split(&path, '\n', &pattern) || cw_glob_compile(pattern, &glob, &err) < 0)
        return 0;
    (void)cw_glob_match(glob, path);
    cw_glob_free(&glob);
    return 0;
}

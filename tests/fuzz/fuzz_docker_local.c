/* fuzz_docker_local.c - any bytes as a file of Docker's driver local: the walk ends, and what it finds lies in the bytes. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/docker_local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str bytes = cw_str_make(data, size);
    struct cw_docker_line line;
    struct cw_err err;
    size_t at = 0, before = 0;
    int rc;
    while ((rc = cw_docker_local_next(bytes, &at, &line, &err)) != 0) {
        CW_ASSERT(at > before && at <= size);
        if (rc == 1 && line.text.len > 0)
            CW_ASSERT(line.text.ptr >= bytes.ptr + before &&
                      line.text.ptr + line.text.len <= bytes.ptr + at);
        before = at;
    }
    CW_ASSERT(at == before);
    return 0;
}

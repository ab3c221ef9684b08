/* Any bytes as a part, damaged as they are and with checksums put right: its blocks are copied, and what can be read of it is saved. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/store/format.h"
#include "tests/support/part_repair.h"
#include "tests/support/part_reseal.h"

static void check(struct cw_str bytes)
{
    struct cw_part_info known = part_model_info(1);
    part_repair_check(bytes, &known, NULL);
    part_copy_check(bytes, bytes.len % 2 == 0 ? CW_CODEC_LZ4 : CW_CODEC_ZSTD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    check(cw_str_make(data, size));
    if (size < CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES)
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    part_reseal(copy, size);
    check(cw_str_make(copy, size));
    free(copy);
    return 0;
}

/*
 * Any bytes as lines, once each and many times over, through the block writer and back: what is read must be what was written.
 * The first byte chooses the codec and how lines are told apart.
 */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "tests/support/block_round_trip.h"

enum { LINES_MAX = 1000, REPEATS = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_str lines[LINES_MAX * REPEATS];
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    if (size < 2)
        return 0;
    enum cw_codec codec = data[0] & 1 ? CW_CODEC_ZSTD : CW_CODEC_LZ4;
    char end = data[0] & 2 ? '\n' : (char)data[0];
    struct cw_str rest = cw_str_make(data + 1, size - 1);
    size_t n = 0;
    while (n < LINES_MAX && rest.len > 0 && cw_str_split(&rest, end, &lines[n]))
        n++;
    /* Repeated, so that templates pay; otherwise most blocks would be plain. */
    size_t repeats =
        CW_MIN((size_t)REPEATS, CW_MIN(CW_BLOCK_ROWS_MAX / n, CW_BLOCK_RAW_TARGET / size));
    for (size_t i = n; i < n * repeats; i++)
        lines[i] = lines[i - n];
    CW_ASSERT(block_round_trip(lines, n * repeats, codec).wrong == NULL);
    return 0;
}

/* fuzz_tally_file.c - any bytes as a ledger, as they are and behind a right first line. What is read is written, and must be
 * read again as it was. */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include "common/base/assert.h"
#include "shipper/tally_file.h"

static void on_tally(void *arg, const struct cw_id128 *source, struct cw_tally *tally)
{
    struct cw_buf *text = arg;
    if (text->len == 0)
        cw_tally_file_begin(text);
    cw_tally_file_add(source, tally, text);
    cw_tally_free(&tally);
}

/* Writes down what is read; false: nothing was. */
static bool copied(struct cw_str bytes, struct cw_buf *out)
{
    struct cw_err err;
    cw_buf_init(out, CW_TALLY_FILE_BYTES);
    return cw_tally_file_decode(bytes, on_tally, out, &err) == 0 && out->len > 0;
}

static void try(struct cw_str bytes)
{
    struct cw_buf first, second = {0}, third = {0};
    if (copied(bytes, &first)) {
        bool again = copied(cw_buf_str(&first), &second);
        CW_ASSERT(again);
        again = copied(cw_buf_str(&second), &third);
        CW_ASSERT(again && cw_str_eq(cw_buf_str(&second), cw_buf_str(&third)));
        cw_buf_fini(&second);
        cw_buf_fini(&third);
    }
    cw_buf_fini(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf text;
    try(cw_str_make(data, size));
    cw_buf_init(&text, CW_TALLY_FILE_BYTES);
    cw_buf_addz(&text, "{\"ledger\":1}\n{\"source\":\"00112233445566778899aabbccddeeff\",");
    cw_buf_add(&text, data, size);
    try(cw_buf_str(&text));
    cw_buf_fini(&text);
    return 0;
}

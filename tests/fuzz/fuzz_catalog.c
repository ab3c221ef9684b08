/* Any text as a catalog: with the checksum it has, and with the right one. What is accepted is written and read again. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/store/catalog.h"

static void parse(struct cw_str text)
{
    struct cw_catalog catalog, back;
    struct cw_buf out;
    struct cw_err err;
    if (cw_catalog_parse(text, &catalog, &err) < 0)
        return;
    cw_buf_init(&out, SIZE_MAX);
    cw_catalog_format(&catalog, &out);
    if (cw_catalog_parse(cw_buf_str(&out), &back, &err) < 0 || back.n != catalog.n ||
        back.nmissing != catalog.nmissing || back.wal_flushed != catalog.wal_flushed)
        abort();
    cw_catalog_fini(&back);
    cw_catalog_fini(&catalog);
    cw_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf text;
    parse(cw_str_make(data, size));
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_add(&text, data, size);
    cw_buf_addf(&text, "end %016" PRIx64 "\n", cw_hash64(data, size));
    parse(cw_buf_str(&text));
    cw_buf_fini(&text);
    return 0;
}

/* Any text as the file `deletes`: as it is, and each of its lines with the checksum that it should have. What is accepted is written
 * and read again. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/store/delete_list.h"

static void parse(struct cw_str text)
{
    struct cw_delete_list list, back;
    struct cw_buf out;
    struct cw_err err;
    size_t nbad;
    if (cw_delete_list_parse(text, &list, &nbad, &err) < 0)
        return;
    cw_buf_init(&out, SIZE_MAX);
    cw_delete_list_format(&list, &out);
    if (cw_delete_list_parse(cw_buf_str(&out), &back, &nbad, &err) < 0 || back.n != list.n ||
        nbad != 0)
        abort();
    for (size_t i = 0; i < list.n; i++)
        if (!cw_str_eq(list.rows[i].query, back.rows[i].query) ||
            !cw_str_eq(list.rows[i].tenant, back.rows[i].tenant))
            abort();
    cw_delete_list_fini(&back);
    cw_delete_list_fini(&list);
    cw_buf_fini(&out);
}

/* Lines as they are, each with the checksum that makes it one of a list. */
static void parse_summed(struct cw_str rest, int version)
{
    struct cw_str line;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addf(&text, "cordwood deletes %d\n", version);
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line)) {
        cw_buf_addf(&text, "%016" PRIx64 " ", cw_hash64(line.ptr, line.len));
        cw_buf_adds(&text, line);
        cw_buf_addc(&text, '\n');
    }
    parse(cw_buf_str(&text));
    cw_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str all = cw_str_make(data, size);
    parse(all);
    parse_summed(all, 1);
    parse_summed(all, 2);
    return 0;
}

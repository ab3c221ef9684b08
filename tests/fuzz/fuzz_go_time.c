/* Layouts and times from outside: a layout, a NUL, the text. What was read is written and read again: the same instant, for the
 * layouts that spell all of it. */
#include "common/base/assert.h"
#include "common/template/go_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cw_str whole = CW_STR("2006-01-02T15:04:05.000000000Z07:00:00");
    struct cw_str text = cw_str_make(data, size), layout;
    const struct cw_go_zone *zone = NULL;
    struct cw_go_time t, again;
    struct cw_buf out;
    if (!cw_str_split(&text, 0, &layout))
        return 0;
    cw_go_zone_load(size % 2 == 0 ? CW_STR("Europe/Berlin") : CW_STR("America/New_York"), &zone);
    bool fine = cw_go_time_parse(layout, text, zone, &t);
    cw_buf_init(&out, 1 << 24);
    cw_go_time_format(t, layout, &out);
    cw_buf_clear(&out);
    cw_go_time_format(t, whole, &out);
    if (fine && cw_go_time_parse(whole, cw_buf_str(&out), NULL, &again))
        CW_ASSERT(again.sec == t.sec && again.nsec == t.nsec);
    cw_buf_fini(&out);
    return 0;
}

#include "querier/api/tail_answer.h"

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "querier/engine/log_group.h"

/* Loki's bound on what it tells with one frame. */
enum { DROPS_MAX = 1000, DROPS_BYTES_MAX = 256 << 10 };
#define FRAME_BEGIN "{\"streams\":["

void cw_tail_answer_labels(struct cw_labels labels, enum cw_tail_form form, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    if (form != CW_TAIL_OLD) {
        cw_answer_labels(&w, labels);
        return;
    }
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(labels, &text);
    cw_json_string(&w, cw_buf_str(&text));
    cw_buf_fini(&text);
}

static void add_values(const struct cw_log_entry *entry, enum cw_tail_form form,
                       struct cw_arena *arena, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_array(&w);
    cw_json_i64_string(&w, entry->ts_ns);
    cw_json_string(&w, entry->line);
    if (form == CW_TAIL_CATEGORISED)
        cw_answer_categories(&w, entry, arena);
    cw_json_end_array(&w);
}

static void add_old_entry(const struct cw_log_entry *entry, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    struct cw_buf time;
    cw_buf_init(&time, 64);
    cw_time_format_rfc3339(entry->ts_ns, &time);
    cw_json_begin_object(&w);
    cw_json_key_string(&w, "ts", cw_buf_str(&time));
    cw_json_key_string(&w, "line", entry->line);
    cw_json_end_object(&w);
    cw_buf_fini(&time);
}

void cw_tail_answer_entry(const struct cw_log_entry *entry, enum cw_tail_form form,
                          struct cw_arena *arena, struct cw_buf *out, struct cw_str *labels)
{
    struct cw_labels shown =
        form == CW_TAIL_CATEGORISED ? entry->stream : cw_log_all_labels(entry, arena);
    cw_buf_addz(out, form == CW_TAIL_OLD ? "{\"labels\":" : "{\"stream\":");
    size_t at = out->len;
    cw_tail_answer_labels(shown, form, out);
    size_t end = out->len;
    cw_buf_addz(out, form == CW_TAIL_OLD ? ",\"entries\":[" : ",\"values\":[");
    if (form == CW_TAIL_OLD)
        add_old_entry(entry, out);
    else
        add_values(entry, form, arena, out);
    cw_buf_addz(out, "]}");
    *labels = cw_str_sub(cw_buf_str(out), at, end);
}

/* ---- what was dropped ---- */

void cw_tail_drops_init(struct cw_tail_drops *drops)
{
    *drops = (struct cw_tail_drops){0};
    cw_buf_init(&drops->text, SIZE_MAX);
}

void cw_tail_drops_fini(struct cw_tail_drops *drops)
{
    cw_buf_fini(&drops->text);
}

bool cw_tail_drops_room(const struct cw_tail_drops *drops)
{
    return drops->n < DROPS_MAX && drops->text.len < DROPS_BYTES_MAX;
}

void cw_tail_drops_add(struct cw_tail_drops *drops, int64_t ts_ns, struct cw_str labels,
                       enum cw_tail_form form)
{
    struct cw_buf *out = &drops->text;
    drops->total++;
    if (!cw_tail_drops_room(drops))
        return;
    if (drops->n++ > 0)
        cw_buf_addc(out, ',');
    if (form == CW_TAIL_OLD) {
        cw_buf_addz(out, "{\"Timestamp\":\"");
        cw_time_format_rfc3339(ts_ns, out);
        cw_buf_addz(out, "\",\"Labels\":");
    } else {
        cw_buf_addf(out, "{\"timestamp\":\"%lld\",\"labels\":", (long long)ts_ns);
    }
    cw_buf_adds(out, labels);
    cw_buf_addc(out, '}');
}

/* ---- frames ---- */

void cw_tail_frame_begin(struct cw_buf *out)
{
    cw_buf_clear(out);
    cw_buf_addz(out, FRAME_BEGIN);
}

void cw_tail_frame_add(struct cw_buf *out, const struct cw_tail_item *item)
{
    if (out->len > sizeof FRAME_BEGIN - 1)
        cw_buf_addc(out, ',');
    cw_buf_add(out, item->text, item->len);
}

void cw_tail_frame_end(struct cw_buf *out, struct cw_tail_drops *drops, enum cw_tail_form form)
{
    cw_buf_addc(out, ']');
    if (drops->n > 0) {
        cw_buf_addz(out, ",\"dropped_entries\":[");
        cw_buf_adds(out, cw_buf_str(&drops->text));
        cw_buf_addc(out, ']');
    } else if (form == CW_TAIL_OLD) {
        cw_buf_addz(out, ",\"dropped_entries\":null");
    }
    if (form == CW_TAIL_CATEGORISED)
        cw_buf_addz(out, ",\"encodingFlags\":[\"categorize-labels\"]");
    cw_buf_addc(out, '}');
    cw_buf_clear(&drops->text);
    drops->n = 0;
}

#include "ingester/push_check.h"

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/wire/push_resolve.h"

const char *const cw_discard_names[CW_DISCARD_NREASONS] = {
    [CW_DISCARD_LABELS] = "invalid_labels",
    [CW_DISCARD_TOO_OLD] = "greater_than_max_sample_age",
    [CW_DISCARD_TOO_NEW] = "too_far_in_future",
    [CW_DISCARD_LINE_TOO_LONG] = "line_too_long",
    [CW_DISCARD_METADATA] = "structured_metadata",
    [CW_DISCARD_DUPLICATE] = "duplicate",
};

struct check {
    const struct cw_ingester_limits *limits;
    const struct cw_service_names *names; /* NULL: none is to be added */
    int64_t oldest_ns, newest_ns;
    struct cw_arena *arena;
    struct cw_push_checked *out;
};

/* `{a="b"}` as Loki quotes the stream in its texts. */
static struct cw_str stream_text(struct check *check, const struct cw_push_stream *stream)
{
    struct cw_buf text;
    cw_buf_init(&text, 64u << 20);
    cw_labels_format(stream->labels, &text);
    struct cw_str copy = cw_arena_dup(check->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return copy;
}

static struct cw_str time_text(struct check *check, int64_t ns)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    cw_time_format_rfc3339(ns, &text);
    struct cw_str copy = cw_arena_dup(check->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return copy;
}

static void discard(struct check *check, enum cw_discard reason, size_t n, struct cw_str text)
{
    check->out->changed = true;
    check->out->ndiscarded[reason] += n;
    if (check->out->first.len == 0)
        check->out->first = text;
}

/* The first is worth a sentence, the rest only a count: making texts for a million bad entries would be an attack. */
#define DISCARD(check, reason, n, ...)                                                             \
    discard((check), (reason), (n),                                                                \
            (check)->out->first.len ? CW_STR_NONE : cw_arena_printf((check)->arena, __VA_ARGS__))

static bool labels_good(struct check *check, const struct cw_push_stream *stream)
{
    const struct cw_ingester_limits *limits = check->limits;
    if (stream->labels.n == 0) {
        DISCARD(check, CW_DISCARD_LABELS, stream->nentries,
                "error at least one label pair is required per stream");
        return false;
    }
    size_t nlabels = stream->labels.n - cw_labels_has(stream->labels, CW_SERVICE_NAME_LABEL);
    if (nlabels > (size_t)limits->max_label_names_per_series) {
        DISCARD(check, CW_DISCARD_LABELS, stream->nentries,
                "entry for stream '%.*s' has %zu label names; limit %lld",
                CW_STR_ARG(stream_text(check, stream)), nlabels,
                (long long)limits->max_label_names_per_series);
        return false;
    }
    for (size_t i = 0; i < stream->labels.n; i++) {
        const struct cw_label *label = &stream->labels.items[i];
        bool name = label->name.len > (size_t)limits->max_label_name_length;
        if (!name && label->value.len <= (size_t)limits->max_label_value_length)
            continue;
        DISCARD(check, CW_DISCARD_LABELS, stream->nentries,
                "stream '%.*s' has label %s too long: '%.*s'",
                CW_STR_ARG(stream_text(check, stream)), name ? "name" : "value",
                CW_STR_ARG(name ? label->name : label->value));
        return false;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < stream->labels.n; i++)
        bytes += stream->labels.items[i].name.len + stream->labels.items[i].value.len;
    if (bytes > CW_LIMIT_STREAM_LABEL_BYTES_HARD) {
        DISCARD(check, CW_DISCARD_LABELS, stream->nentries,
                "stream has %zu bytes of labels, more than the %u that can be stored", bytes,
                CW_LIMIT_STREAM_LABEL_BYTES_HARD);
        return false;
    }
    return true;
}

static bool time_good(struct check *check, const struct cw_push_stream *stream,
                      const struct cw_push_entry *entry)
{
    if (entry->ts_ns == CW_PUSH_TS_NONE || entry->ts_ns < check->oldest_ns) {
        if (check->out->first.len == 0) {
            struct cw_str when = entry->ts_ns == CW_PUSH_TS_NONE ? CW_STR("0001-01-01T00:00:00Z")
                                                                 : time_text(check, entry->ts_ns);
            /* Loki tells the limit to the second. */
            int64_t oldest_ns = check->oldest_ns / CW_NS_PER_S * CW_NS_PER_S;
            DISCARD(check, CW_DISCARD_TOO_OLD, 1,
                    "entry for stream '%.*s' has timestamp too old: %.*s, oldest acceptable "
                    "timestamp is: %.*s",
                    CW_STR_ARG(stream_text(check, stream)), CW_STR_ARG(when),
                    CW_STR_ARG(time_text(check, oldest_ns)));
        } else {
            discard(check, CW_DISCARD_TOO_OLD, 1, CW_STR_NONE);
        }
        return false;
    }
    if (entry->ts_ns > check->newest_ns) {
        DISCARD(check, CW_DISCARD_TOO_NEW, 1, "entry for stream '%.*s' has timestamp too new: %.*s",
                CW_STR_ARG(stream_text(check, stream)), CW_STR_ARG(time_text(check, entry->ts_ns)));
        return false;
    }
    return true;
}

/* A limit that a user set (0: none), but never above what can be stored. */
static size_t hard_limit(int64_t set, size_t hard)
{
    return set > 0 ? CW_MIN((size_t)set, hard) : hard;
}

static bool metadata_good(struct check *check, const struct cw_push_stream *stream,
                          const struct cw_push_entry *entry)
{
    const struct cw_ingester_limits *limits = check->limits;
    size_t bytes = 0;
    if (entry->nmetadata == 0)
        return true;
    if (!limits->allow_structured_metadata) {
        DISCARD(check, CW_DISCARD_METADATA, 1,
                "stream '%.*s' includes structured metadata, but this feature is disallowed. "
                "Please see "
                "`limits_config.allow_structured_metadata` or contact your Loki administrator to "
                "enable it",
                CW_STR_ARG(stream_text(check, stream)));
        return false;
    }
    for (size_t i = 0; i < entry->nmetadata; i++)
        bytes += entry->metadata[i].name.len + entry->metadata[i].value.len;
    size_t most_bytes =
        hard_limit(limits->max_structured_metadata_size, CW_LIMIT_METADATA_BYTES_HARD);
    size_t most_pairs =
        hard_limit(limits->max_structured_metadata_entries_count, CW_LIMIT_METADATA_COUNT_HARD);
    if (bytes > most_bytes) {
        DISCARD(check, CW_DISCARD_METADATA, 1,
                "stream '%.*s' has structured metadata too large: '%zu' bytes, limit: '%zu' "
                "bytes. Please see "
                "`limits_config.max_structured_metadata_size` or contact your Loki administrator "
                "to increase it",
                CW_STR_ARG(stream_text(check, stream)), bytes, most_bytes);
        return false;
    }
    if (entry->nmetadata > most_pairs) {
        DISCARD(check, CW_DISCARD_METADATA, 1,
                "stream '%.*s' has too many structured metadata labels: '%u', limit: '%zu'. "
                "Please see "
                "`limits_config.max_structured_metadata_entries_count` or contact your Loki "
                "administrator to increase it",
                CW_STR_ARG(stream_text(check, stream)), entry->nmetadata, most_pairs);
        return false;
    }
    return true;
}

static bool entry_good(struct check *check, const struct cw_push_stream *stream,
                       struct cw_push_entry *entry)
{
    const struct cw_ingester_limits *limits = check->limits;
    if (!time_good(check, stream, entry))
        return false;
    if (limits->max_line_size > 0 && entry->line.len > (size_t)limits->max_line_size) {
        if (limits->max_line_size_truncate) {
            entry->line.len = (size_t)limits->max_line_size;
            check->out->changed = true;
        } else {
            DISCARD(check, CW_DISCARD_LINE_TOO_LONG, 1,
                    "max entry size '%lld' bytes exceeded for stream '%.*s' while adding an entry "
                    "with length '%zu' bytes",
                    (long long)limits->max_line_size, CW_STR_ARG(stream_text(check, stream)),
                    entry->line.len);
            return false;
        }
    }
    return metadata_good(check, stream, entry);
}

/* A name that Loki refuses costs the whole push, as labels that do not parse. Loki looks at it before an empty value goes, and
 * answers 500: here it is 400, for a client that tries again sends the same. */
static bool metadata_names_good(struct check *check, const struct cw_push_entry *entry)
{
    for (size_t i = 0; i < entry->nmetadata; i++) {
        if (cw_label_name_admissible(entry->metadata[i].name))
            continue;
        check->out->refused = true;
        check->out->first = CW_STR_NONE;
        discard(check, CW_DISCARD_METADATA, 1,
                cw_label_name_refusal(check->arena, entry->metadata[i].name));
        return false;
    }
    return true;
}

/* increment_duplicate_timestamp: `prev` is the entry ahead, *sent_ns the time with which the last one came that was not moved. */
static void increment_time(struct check *check, const struct cw_push_entry *prev,
                           struct cw_push_entry *entry, int64_t *sent_ns)
{
    bool same_time = entry->ts_ns == *sent_ns || entry->ts_ns == prev->ts_ns;
    if (!same_time || cw_str_eq(entry->line, prev->line) || prev->ts_ns == INT64_MAX) {
        *sent_ns = entry->ts_ns;
        return;
    }
    entry->ts_ns = prev->ts_ns + 1;
    check->out->changed = true;
}

/* Entries that are not taken leave the array. */
static void check_entries(struct check *check, struct cw_push_stream *stream)
{
    size_t kept = 0;
    int64_t sent_ns = stream->entries[0].ts_ns;
    for (size_t i = 0; i < stream->nentries; i++) {
        struct cw_push_entry *entry = &stream->entries[i];
        if (!entry_good(check, stream, entry))
            continue;
        if (!metadata_names_good(check, entry))
            break;
        cw_push_resolve_metadata(entry, check->arena);
        if (check->limits->increment_duplicate_timestamp && kept > 0)
            increment_time(check, &stream->entries[kept - 1], entry, &sent_ns);
        if (kept != i)
            stream->entries[kept] = *entry;
        kept++;
    }
    stream->nentries = kept;
}

/* Labels that do not parse cost the whole push in Loki; a name that is there twice only its stream. */
static bool stream_good(struct check *check, struct cw_push_stream *stream, struct cw_hash128 *id)
{
    struct cw_err why = {0};
    if (cw_push_resolve_labels(stream, check->names, check->arena, id, &why) < 0) {
        struct cw_str text = cw_arena_dup(check->arena, cw_str_of(why.text));
        if (cw_str_find(text, CW_STR("duplicate label name")) < 0)
            check->out->refused = true;
        discard(check, CW_DISCARD_LABELS, stream->nentries, text);
        return false;
    }
    return labels_good(check, stream);
}

static int64_t before(int64_t ns, int64_t span_ns)
{
    int64_t at;
    return __builtin_sub_overflow(ns, span_ns, &at) ? INT64_MIN : at;
}

void cw_push_check(struct cw_push *push, const struct cw_ingester_limits *limits,
                   const struct cw_discovery *discovery, int64_t now_ns, struct cw_arena *arena,
                   struct cw_push_checked *out)
{
    *out =
        (struct cw_push_checked){.ids = CW_ARENA_ARRAY(arena, struct cw_hash128, push->nstreams)};
    struct check check = {.limits = limits, .arena = arena, .out = out, .oldest_ns = INT64_MIN};
    if (!push->services_named)
        check.names = &cw_discovery_options(discovery)->service_names;
    if (limits->reject_old_samples)
        check.oldest_ns = before(now_ns, limits->reject_old_samples_max_age_ns);
    if (__builtin_add_overflow(now_ns, limits->creation_grace_period_ns, &check.newest_ns))
        check.newest_ns = INT64_MAX;
    size_t kept = 0;
    push->nentries = 0;
    push->line_bytes = 0;
    for (size_t i = 0; i < push->nstreams && !out->refused; i++) {
        struct cw_push_stream *stream = &push->streams[i];
        if (stream->nentries == 0 || !stream_good(&check, stream, &out->ids[kept]))
            continue;
        check_entries(&check, stream);
        cw_discovery_add_levels(discovery, stream, arena);
        push->nentries += stream->nentries;
        for (size_t e = 0; e < stream->nentries; e++)
            push->line_bytes += stream->entries[e].line.len;
        if (kept != i)
            push->streams[kept] = *stream;
        kept += stream->nentries > 0;
    }
    push->nstreams = kept;
    if (out->refused)
        push->nstreams = push->nentries = 0;
}

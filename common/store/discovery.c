/*
 * discovery.c - the settings, what they add, and how a frame holds them:
 *
 *   flags u8 (1: levels, 2: service names) | json_depth u8
 *   with flag 1 the level fields, then with flag 2 the service names, each:
 *     bytes u16 | the names, each ended by a NUL; or bytes = 0xFFFF: the list of discovery.h
 */
#include "common/store/discovery.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/extract/json_scan.h"
#include "common/extract/level_detect.h"

enum { FLAG_LEVELS = 1, FLAG_SERVICE_NAMES = 2, LIST_STANDARD = 0xFFFF };

struct cw_discovery {
    atomic_int refs;
    struct cw_discovery_options options; /* its names are the arena's */
    struct cw_arena *arena;
    struct cw_level_detector detector;
    struct cw_buf encoded;
};

/* ---- settings ---- */

/* The next name of a list as discovery.h writes it; false: it is over. */
static bool standard_next(struct cw_str *rest, struct cw_str *name)
{
    if (!cw_str_split(rest, ',', name))
        return false;
    *name = cw_str_trim(*name);
    return true;
}

static bool is_standard(const struct cw_str *names, size_t n, const char *standard)
{
    struct cw_str rest = cw_str_of(standard), name;
    for (size_t i = 0; i < n; i++)
        if (!standard_next(&rest, &name) || !cw_str_eq(name, names[i]))
            return false;
    return rest.ptr == NULL;
}

static void encode_list(const struct cw_str *names, size_t n, const char *standard,
                        struct cw_buf *out)
{
    size_t bytes = n;
    for (size_t i = 0; i < n; i++)
        bytes += names[i].len;
    bool by_number = is_standard(names, n, standard);
    CW_ASSERT(by_number || bytes <= CW_DISCOVERY_LIST_BYTES_MAX);
    uint16_t le = htole16(by_number ? LIST_STANDARD : (uint16_t)bytes);
    cw_buf_add(out, &le, sizeof(le));
    for (size_t i = 0; i < n && !by_number; i++) {
        cw_buf_adds(out, names[i]);
        cw_buf_addc(out, '\0');
    }
}

static void encode(const struct cw_discovery_options *options, struct cw_buf *out)
{
    const struct cw_service_names *names = &options->service_names;
    unsigned flags =
        (options->levels ? FLAG_LEVELS : 0u) | (names->n > 0 ? FLAG_SERVICE_NAMES : 0u);
    if (flags == 0)
        return;
    cw_buf_addc(out, (char)flags);
    cw_buf_addc(out, (char)CW_MIN(options->json_depth, (unsigned)CW_JSON_SCAN_DEPTH));
    if (options->levels)
        encode_list(options->level_fields, options->nlevel_fields, CW_LEVEL_FIELDS, out);
    if (names->n > 0)
        encode_list(names->items, names->n, CW_DISCOVERY_SERVICE_NAMES, out);
}

static const struct cw_str *names_dup(struct cw_arena *arena, const struct cw_str *names, size_t n)
{
    struct cw_str *copy = CW_ARENA_ARRAY(arena, struct cw_str, n);
    for (size_t i = 0; i < n; i++)
        copy[i] = cw_arena_dup(arena, names[i]);
    return copy;
}

static void level_fields_standard(struct cw_arena *arena, struct cw_discovery_options *options)
{
    struct cw_str *names = CW_ARENA_ARRAY(arena, struct cw_str, CW_DISCOVERY_NAMES_MAX);
    struct cw_str rest = CW_STR(CW_LEVEL_FIELDS);
    while (standard_next(&rest, &names[options->nlevel_fields]))
        options->nlevel_fields++;
    options->level_fields = names;
}

struct cw_discovery *cw_discovery_new(const struct cw_discovery_options *options)
{
    struct cw_discovery *d = cw_mem_new(sizeof(*d));
    atomic_init(&d->refs, 1);
    d->arena = cw_arena_new();
    d->options = *options;
    d->options.service_names.items =
        names_dup(d->arena, options->service_names.items, options->service_names.n);
    d->options.level_fields = names_dup(d->arena, options->level_fields, options->nlevel_fields);
    if (options->nlevel_fields == 0)
        level_fields_standard(d->arena, &d->options);
    cw_level_detector_init(&d->detector, d->options.level_fields, d->options.nlevel_fields,
                           options->json_depth);
    cw_buf_init(&d->encoded, 4 * CW_DISCOVERY_LIST_BYTES_MAX);
    encode(&d->options, &d->encoded);
    return d;
}

struct cw_discovery *cw_discovery_ref(struct cw_discovery *discovery)
{
    atomic_fetch_add_explicit(&discovery->refs, 1, memory_order_relaxed);
    return discovery;
}

void cw_discovery_unref(struct cw_discovery **handle)
{
    struct cw_discovery *d = *handle;
    *handle = NULL;
    if (d == NULL || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
        return;
    cw_buf_fini(&d->encoded);
    cw_arena_free(&d->arena);
    free(d);
}

const struct cw_discovery_options *cw_discovery_options(const struct cw_discovery *discovery)
{
    return &discovery->options;
}

struct cw_str cw_discovery_encoded(const struct cw_discovery *discovery)
{
    return cw_buf_str(&discovery->encoded);
}

/* ---- reading ---- */

struct list {
    struct cw_str names[CW_DISCOVERY_NAMES_MAX];
    size_t n;
};

static bool list_add(struct list *list, struct cw_str name)
{
    if (list->n == CW_DISCOVERY_NAMES_MAX)
        return false;
    list->names[list->n++] = name;
    return true;
}

static bool decode_list(struct cw_str *in, const char *standard, struct list *out)
{
    uint16_t le;
    struct cw_str name, rest = cw_str_of(standard);
    if (!cw_str_take(in, &le, sizeof(le)))
        return false;
    size_t bytes = le16toh(le);
    bool good = true;
    if (bytes == LIST_STANDARD) {
        while (good && standard_next(&rest, &name))
            good = list_add(out, name);
        return good;
    }
    if (bytes > in->len || (bytes > 0 && in->ptr[bytes - 1] != '\0'))
        return false;
    rest = cw_str_sub(*in, 0, bytes);
    *in = cw_str_sub(*in, bytes, in->len);
    while (good && rest.len > 0 && cw_str_split(&rest, '\0', &name))
        good = list_add(out, name);
    return good;
}

int cw_discovery_decode(struct cw_str encoded, struct cw_discovery **out, struct cw_err *err)
{
    struct list fields = {.n = 0}, names = {.n = 0};
    uint8_t head[2];
    bool good = cw_str_take(&encoded, head, sizeof(head)) &&
                (head[0] & ~(FLAG_LEVELS | FLAG_SERVICE_NAMES)) == 0 &&
                head[1] <= CW_JSON_SCAN_DEPTH;
    if (good && (head[0] & FLAG_LEVELS))
        good = decode_list(&encoded, CW_LEVEL_FIELDS, &fields);
    if (good && (head[0] & FLAG_SERVICE_NAMES))
        good = decode_list(&encoded, CW_DISCOVERY_SERVICE_NAMES, &names);
    if (!good || encoded.len > 0)
        return cw_err_set(err, CW_E_CORRUPT, "the settings of what was discovered do not hold");
    struct cw_discovery_options options = {.service_names = {names.names, names.n},
                                           .levels = head[0] & FLAG_LEVELS,
                                           .level_fields = fields.names,
                                           .nlevel_fields = fields.n,
                                           .json_depth = head[1]};
    *out = cw_discovery_new(&options);
    return 0;
}

/* ---- levels ---- */

#define NAMED(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define LEVEL(literal)                                                                             \
    {                                                                                              \
        NAMED("detected_level"), NAMED(literal)                                                    \
    }

/* One for all entries: whoever keeps them copies it once. */
static const struct cw_label level_labels[CW_LEVEL_N] = {
    [CW_LEVEL_UNKNOWN] = LEVEL("unknown"),   [CW_LEVEL_TRACE] = LEVEL("trace"),
    [CW_LEVEL_DEBUG] = LEVEL("debug"),       [CW_LEVEL_INFO] = LEVEL("info"),
    [CW_LEVEL_WARN] = LEVEL("warn"),         [CW_LEVEL_ERROR] = LEVEL("error"),
    [CW_LEVEL_CRITICAL] = LEVEL("critical"), [CW_LEVEL_FATAL] = LEVEL("fatal"),
};

static const struct cw_label *label_of_word(struct cw_str word, struct cw_arena *arena)
{
    enum cw_level level;
    if (cw_level_of_word(word, &level))
        return &level_labels[level];
    struct cw_label *label = CW_ARENA_NEW(arena, struct cw_label);
    *label = (struct cw_label){CW_LEVEL_LABEL, word};
    return label;
}

/* The value of the first field that is there. */
static struct cw_str field_among(const struct cw_level_detector *detector, struct cw_labels labels)
{
    struct cw_str value = CW_STR_NONE;
    for (size_t i = 0; i < detector->nfields && value.len == 0; i++)
        value = cw_labels_get(labels, detector->fields[i]);
    return value;
}

static const struct cw_label *label_of_entry(const struct cw_level_detector *detector,
                                             const struct cw_push_entry *entry,
                                             struct cw_arena *arena)
{
    struct cw_labels metadata = {entry->metadata, entry->nmetadata};
    if (metadata.n > 0) {
        struct cw_str value = field_among(detector, metadata);
        if (value.len > 0)
            return label_of_word(value, arena);
        value = cw_labels_get(metadata, CW_STR("severity_number"));
        if (value.len > 0)
            return &level_labels[cw_level_of_severity(value)];
    }
    return &level_labels[cw_level_detect(detector, entry->line, arena)];
}

static void add_level(struct cw_push_entry *entry, const struct cw_label *label,
                      struct cw_arena *arena)
{
    struct cw_labels metadata = {entry->metadata, entry->nmetadata};
    if (metadata.n == 0)
        metadata = (struct cw_labels){label, 1};
    else
        metadata = cw_labels_with(arena, metadata, label->name, label->value);
    entry->metadata = metadata.items;
    entry->nmetadata = (uint32_t)metadata.n;
}

void cw_discovery_add_levels(const struct cw_discovery *d, struct cw_push_stream *stream,
                             struct cw_arena *arena)
{
    const struct cw_label *of_stream = NULL;
    if (!d->options.levels)
        return;
    struct cw_str value = field_among(&d->detector, stream->labels);
    if (value.len > 0)
        of_stream = label_of_word(value, arena);
    for (size_t i = 0; i < stream->nentries; i++) {
        struct cw_push_entry *entry = &stream->entries[i];
        struct cw_str sent = CW_STR_NONE;
        if (entry->nmetadata > 0)
            sent = cw_labels_get((struct cw_labels){entry->metadata, entry->nmetadata},
                                 CW_LEVEL_LABEL);
        const struct cw_label *label = of_stream;
        if (sent.len > 0)
            label = label_of_word(sent, arena);
        else if (label == NULL)
            label = label_of_entry(&d->detector, entry, arena);
        if (!cw_str_eq(sent, label->value))
            add_level(entry, label, arena);
        entry->level_found = sent.len == 0;
    }
}

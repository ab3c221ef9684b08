#include "common/wire/push_resolve.h"

int cw_push_resolve_labels(struct cw_push_stream *stream, const struct cw_service_names *names,
                           struct cw_arena *arena, struct cw_hash128 *id_out, struct cw_err *err)
{
    if (stream->labels.n == 0) {
        int rc = cw_labels_parse(stream->labels_text, arena, &stream->labels, err);
        if (rc < 0)
            return rc;
    }
    stream->labels = cw_service_name_add(stream->labels, names, arena);
    *id_out = cw_labels_hash(stream->labels);
    return 0;
}

void cw_push_resolve_metadata(struct cw_push_entry *entry, struct cw_arena *arena)
{
    if (entry->nmetadata == 0)
        return;
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, entry->nmetadata);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < entry->nmetadata; i++) {
        if (entry->metadata[i].value.len == 0 || !cw_label_name_admissible(entry->metadata[i].name))
            continue;
        pairs[n].name = cw_label_name_normalize(arena, entry->metadata[i].name);
        pairs[n++].value = entry->metadata[i].value;
    }
    cw_label_pairs_sort(pairs, n); /* of equal names the first stays */
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !cw_str_eq(pairs[kept - 1].name, pairs[i].name))
            pairs[kept++] = pairs[i];
    }
    entry->metadata = pairs;
    entry->nmetadata = (uint32_t)kept;
}

int cw_push_resolve(struct cw_push *push, const struct cw_service_names *names,
                    struct cw_arena *arena, struct cw_hash128 **ids_out, struct cw_err *err)
{
    struct cw_hash128 *ids = CW_ARENA_ARRAY(arena, struct cw_hash128, push->nstreams);
    for (size_t i = 0; i < push->nstreams; i++) {
        struct cw_push_stream *stream = &push->streams[i];
        if (stream->nentries == 0)
            continue; /* says nothing, whatever its labels */
        int rc = cw_push_resolve_labels(stream, names, arena, &ids[i], err);
        if (rc < 0)
            return rc;
        for (size_t e = 0; e < stream->nentries; e++)
            cw_push_resolve_metadata(&stream->entries[e], arena);
    }
    *ids_out = ids;
    return 0;
}

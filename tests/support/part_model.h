/*
 * part_model.h - entries as plain lists, to be written into parts, and to say what a scan of those must give.
 */
#ifndef CW_TESTS_PART_MODEL_H
#define CW_TESTS_PART_MODEL_H
#include <stdbool.h>
#include "common/base/arena.h"
#include "common/store/cursor.h"
#include "common/store/part_writer.h"

struct model_entry {
    size_t stream;
    int64_t ts_ns;
    struct cw_str line;
    struct cw_labels metadata;
    size_t arrival;
};

struct part_model {
    struct cw_arena *arena;
    struct cw_labels *streams;
    size_t nstreams, streams_cap;
    struct model_entry *entries;
    size_t n, cap;
};

void part_model_init(struct part_model *model);
void part_model_fini(struct part_model *model);
/* `{a="b"}`; the number of the stream, the same for the same labels. */
size_t part_model_stream(struct part_model *model, const char *labels);
/* metadata: NULL or `{a="b"}`. Line and metadata are copied. */
void part_model_add(struct part_model *model, size_t stream, int64_t ts_ns, struct cw_str line,
                    const char *metadata);
/* Random bytes, the same each time for the same state. */
uint64_t part_model_random(uint64_t *state);
/* `nstreams` streams of unlike apps, `n` entries of many kinds in random order of time within a day from `start_ns`. */
void part_model_fill(struct part_model *model, uint64_t seed, size_t nstreams, size_t n,
                     int64_t start_ns);

/* Write all entries (streams and times put in order) as one part; asserts that it works. */
void part_model_write(const struct part_model *model, const char *path,
                      const struct cw_part_info *info);
/* The info of a part of tenant "t". */
struct cw_part_info part_model_info(uint64_t id);

/* A scan's rows as sorted texts: `{labels} time line {metadata}`. */
struct model_rows {
    char **items;
    size_t n, cap;
};
void model_rows_fini(struct model_rows *rows);
/* What the model says: selector and filters are asked for each entry alone. */
void model_rows_of_model(const struct part_model *model, const struct cw_scan *scan,
                         struct model_rows *rows);
/* What a source gives; checks the order within batches and the counts in scan->stats. Returns the first error. */
int model_rows_of_source(struct cw_source *source, const struct cw_scan *scan,
                         struct model_rows *rows, struct cw_err *err);
/* The same of bytes behind good checksums that no writer wrote: their order is not checked. */
int model_rows_of_any_source(struct cw_source *source, const struct cw_scan *scan,
                             struct model_rows *rows, struct cw_err *err);
void model_rows_sort(struct model_rows *rows);
/* Both sorted: is each of `some` in `all`, as often? */
bool model_rows_within(const struct model_rows *some, const struct model_rows *all);
/* Equal multisets; says on stderr where they differ. Sorts both. */
bool model_rows_equal(struct model_rows *a, struct model_rows *b);

#endif

/*
 * cli_entries.h - the entries of a `streams` answer, and how they are printed.
 *
 * Ownership  Entries borrow from the answer's bytes and from the arena given to the reader.
 */
#ifndef CW_CLI_CLI_ENTRIES_H
#define CW_CLI_CLI_ENTRIES_H
#include <stdio.h>
#include "common/labels/labels.h"
#include "querier/cli/cli.h"
#include "querier/cli/cli_time.h"
#include "querier/engine/log_group.h"

struct cw_cli_params;

struct cw_cli_entry {
    int64_t ts_ns;
    struct cw_labels labels; /* of its stream in the answer */
    struct cw_str line;
    size_t idx; /* in the answer: the order of entries of one time */
};

/* What a query_range or query answer holds. */
struct cw_cli_answer {
    struct cw_str result_type;    /* "streams", "matrix", "vector", "scalar" */
    struct cw_str result;         /* its JSON */
    struct cw_cli_entry *entries; /* of "streams", in the order that was asked for */
    size_t nentries;
    struct cw_str *warnings;
    size_t nwarnings;
};

/* AS_ANSWERED: a query that sorts has an order of its own. */
enum cw_cli_order { CW_CLI_NEWEST_FIRST, CW_CLI_OLDEST_FIRST, CW_CLI_AS_ANSWERED };

/* CW_E_INVALID: the answer is not what Loki's API says. */
int cw_cli_answer_parse(struct cw_str body, enum cw_cli_order order, struct cw_arena *arena,
                        struct cw_cli_answer *out, struct cw_err *err) CW_MUST_USE;

/* Ask /loki/api/v1/query_range for at most `limit` entries of the range, or a metric. AS_ANSWERED: in the direction that the flags say. */
int cw_cli_ask_range(struct cw_cli *cli, const struct cw_cli_range *range, int64_t limit,
                     enum cw_cli_order order, struct cw_buf *body, struct cw_arena *arena,
                     struct cw_cli_answer *out, struct cw_err *err) CW_MUST_USE;

/* The same question to /cordwood/v1/explain, or analyze; *data_out is the plan's JSON, in the body. */
int cw_cli_ask_explain(struct cw_cli *cli, const struct cw_cli_params *params, struct cw_buf *body,
                       struct cw_str *data_out, struct cw_err *err) CW_MUST_USE;
/* The parameters of such a question. */
void cw_cli_range_params(struct cw_cli *cli, const struct cw_cli_range *range, int64_t limit,
                         enum cw_cli_order order, struct cw_cli_params *out);

/* A frame of a live tail. */
struct cw_cli_tail_frame {
    struct cw_cli_entry *entries; /* in the order of the frame */
    size_t nentries;
    size_t ndropped; /* entries that the server told to have dropped */
    struct cw_cli_entry first_dropped;
};
int cw_cli_tail_parse(struct cw_str body, struct cw_arena *arena, struct cw_cli_tail_frame *out,
                      struct cw_err *err) CW_MUST_USE;
/* The entries of groups that hold n of them, in the same order as those of an answer with these groups; in the arena. */
struct cw_cli_entry *cw_cli_entries_of(const struct cw_log_groups *groups, size_t n,
                                       enum cw_cli_order order, struct cw_arena *arena);

/* How entries are printed; made once, from the flags. */
struct cw_cli_printer {
    const struct cw_cli_args *args;
    bool colour, escape;
    struct cw_labels common; /* left out of each line: all entries of the first answer have them */
    bool have_common;
    struct cw_buf line; /* reused */
};
void cw_cli_printer_init(struct cw_cli_printer *printer, const struct cw_cli_args *args);
void cw_cli_printer_fini(struct cw_cli_printer *printer);
/* Find the labels that all `entries` share, and say them on stderr (not with --quiet). They are kept in the arena. */
void cw_cli_printer_common(struct cw_cli_printer *printer, const struct cw_cli_entry *entries,
                           size_t n, struct cw_arena *arena);
void cw_cli_printer_entry(struct cw_cli_printer *printer, const struct cw_cli_entry *entry);
/* JSON with an indentation of two blanks and a newline behind it; what is no JSON is printed as it is. */
void cw_cli_print_json(struct cw_str json, FILE *file);

#endif

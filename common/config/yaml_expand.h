/*
 * yaml_expand.h - ${VAR} in the text of a configuration file, before it is parsed, and the way back from a
 * place in the expanded text to the line and column that the user wrote.
 *
 * On the text and not on the values: a variable may hold a list, and in a flow list the braces of ${VAR} would be
 * read as YAML.
 *
 * Ownership  Everything is in the arena, but for the original text, which is borrowed.
 * Errors     CW_E_TOO_LARGE; CW_E_INVALID when promtail would refuse the text too: that was told as a problem, and there is
 *            no text then.
 * Units      Positions are in characters, as libyaml counts them; lines and columns from 0.
 */
#ifndef CW_CONFIG_YAML_EXPAND_H
#define CW_CONFIG_YAML_EXPAND_H
#include "common/config/yaml_load.h"

struct cw_yaml_piece {
    size_t at, len;       /* in the expanded text */
    size_t from, fromlen; /* in the source */
};

struct cw_yaml_source {
    struct cw_str original;       /* borrowed */
    struct cw_str text;           /* what to parse: `original` itself where nothing was expanded */
    struct cw_yaml_piece *pieces; /* rising; in the arena */
    size_t npieces;
};

/* Called for each reference that cannot be expanded; `from` is its place in the source. */
typedef void (*cw_yaml_expand_problem_fn)(void *arg, size_t from, const char *text);

/* `options` NULL: nothing is expanded. */
int cw_yaml_expand(struct cw_str original, const struct cw_yaml_options *options,
                   struct cw_arena *arena, struct cw_yaml_source *out,
                   cw_yaml_expand_problem_fn problem, void *arg, struct cw_err *err) CW_MUST_USE;
/* Line and column in the source of the character `at` of the expanded text. */
void cw_yaml_expand_locate(const struct cw_yaml_source *source, size_t at, size_t *line,
                           size_t *column);
/* Line and column of character `from` of the source itself. */
void cw_yaml_expand_place(struct cw_str text, size_t from, size_t *line, size_t *column);

#endif

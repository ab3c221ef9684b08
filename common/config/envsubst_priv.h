/*
 * envsubst_priv.h - ${NAME} and its operators as promtail expands them in its configuration, which is what
 * github.com/drone/envsubst v1.0.3 does; that is the source of every rule here, also of those that differ from a shell's:
 *
 *   ${NAME}                                           the value, empty when it is unset
 *   ${NAME-op-word} with = := :- :? :+                the value; the words where it is empty (also after :? and :+)
 *   ${NAME^} ${NAME^^} ${NAME,} ${NAME,,}             the first letter, all letters in upper or lower case
 *   ${#NAME}                                          its bytes, counted
 *   ${NAME:offset} ${NAME:offset:length}              bytes of it; a negative offset counts from its end
 *   ${NAME#glob} ${NAME##glob} ${NAME%glob} ${NAME%%glob}   without the shortest, the longest beginning or end
 *   ${NAME/old/new} ${NAME//old/new} ${NAME/#old/new} ${NAME/%old/new}   the first, each, that at the front, at the end
 *
 * A word may hold one more ${...}, the words of a default any number; old and new may hold \/, \\ and $$ for /, \ and $.
 * What it cannot read is refused, as there. Beyond it: ${NAME:word} where word is no number is a default, as promtail's
 * documentation of 2.0 to 2.2 says; a name and what ^ and , change is ASCII (else refused).
 */
#ifndef CW_CONFIG_ENVSUBST_PRIV_H
#define CW_CONFIG_ENVSUBST_PRIV_H
#include "common/base/buf.h"
#include "common/config/yaml_load.h"

/* ${...} within ${...}: a call each; nobody writes by hand what is deeper. */
enum { CW_ENVSUBST_DEPTH_MAX = 16 };

enum cw_envsubst_op {
    CW_ENVSUBST_DEFAULT, /* no operator too */
    CW_ENVSUBST_LENGTH,
    CW_ENVSUBST_SUBSTRING,
    CW_ENVSUBST_UPPER,
    CW_ENVSUBST_UPPER_FIRST,
    CW_ENVSUBST_LOWER,
    CW_ENVSUBST_LOWER_FIRST,
    CW_ENVSUBST_TRIM_PREFIX,
    CW_ENVSUBST_TRIM_PREFIX_LONGEST,
    CW_ENVSUBST_TRIM_SUFFIX,
    CW_ENVSUBST_TRIM_SUFFIX_LONGEST,
    CW_ENVSUBST_REPLACE,
    CW_ENVSUBST_REPLACE_ALL,
    CW_ENVSUBST_REPLACE_PREFIX,
    CW_ENVSUBST_REPLACE_SUFFIX,
};

/* Where a text was refused, and why. */
struct cw_envsubst_problem {
    size_t at; /* byte in the text, of the "${" that is wrong */
    const char *text;
};

/* `text` begins with "${". Appends what it stands for to `out`, and returns the bytes of `text` that it takes; 0: refused. */
size_t cw_envsubst_reference(const struct cw_yaml_options *options, struct cw_str text,
                             struct cw_buf *out, struct cw_envsubst_problem *problem);

/* What the operator makes of a value. `nargs` are 0 to 2. NULL when done, else why it is refused. */
const char *cw_envsubst_apply(enum cw_envsubst_op op, struct cw_str value,
                              const struct cw_str *args, size_t nargs, struct cw_buf *out);

/* The value of an environment variable, or what options->lookup says; NULL when it is unset. */
const char *cw_envsubst_look_up(const struct cw_yaml_options *options, struct cw_str name);

#endif

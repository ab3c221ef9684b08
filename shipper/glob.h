/*
 * glob.h - path patterns as promtail's `__path__` has them (doublestar): * ? [a-z] [!a] {a,b} \x
 * and ** for any folders.
 *
 * A `*` matches names that begin with a dot too. `**` stands for any number of folders, but does
 * not go through a symbolic link (no loops); every other component does.
 *
 * Ownership  A glob owns its compiled text. Paths given to a visitor are borrowed until it returns.
 * Errors     CW_E_INVALID: unclosed [ or {, too many alternatives or components. A folder that
 *            cannot be read is reported to the visitor and otherwise skipped.
 */
#ifndef CW_SHIPPER_GLOB_H
#define CW_SHIPPER_GLOB_H
#include <stdbool.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* {a,b}{c,d}... multiplies: this many alternatives are more than anybody writes by hand. */
#define CW_GLOB_ALTERNATIVES_MAX 256
/* A path's components are states in a 64-bit set. */
#define CW_GLOB_COMPONENTS_MAX 62
#define CW_GLOB_PATTERN_BYTES 4096

struct cw_glob;

struct cw_glob_visitor {
    void (*on_file)(void *arg, const char *path); /* a regular file, or a link to one */
    /* A folder that was looked into: to be watched. Whether names in it may match, not only ones further below. May be NULL. */
    void (*on_dir)(void *arg, const char *path, bool holds);
    /* Ahead of on_file, of a link to a file, or to nothing (yet); may be NULL. */
    void (*on_link)(void *arg, const char *path);
    void (*on_error)(void *arg, const char *path, int errnum); /* may be NULL */
    void *arg;
};

/* A relative pattern is taken from the working folder. */
int cw_glob_compile(struct cw_str pattern, struct cw_glob **out, struct cw_err *err) CW_MUST_USE;
/* Append the text of the pattern that matches just this path. */
void cw_glob_escape(struct cw_str path, struct cw_buf *out);
void cw_glob_free(struct cw_glob **glob);
bool cw_glob_match(const struct cw_glob *glob, struct cw_str path);
/* Whether it, or something below it, may match: false is certain. */
bool cw_glob_may_match(const struct cw_glob *glob, struct cw_str path);
/* Visit what is there now; a file may come more than once when alternatives overlap. */
void cw_glob_walk(const struct cw_glob *glob, const struct cw_glob_visitor *visitor);

#endif

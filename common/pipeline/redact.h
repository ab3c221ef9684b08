/*
 * redact.h - find what should not be in logs (addresses, numbers of cards and accounts, keys, tokens) and blot it out.
 *
 * Named detectors know the shape of a thing and check what can be checked (Luhn, modulus 97, lengths, alphabets). One pass over the
 * line with wide registers finds where a detector may have something, and only there it looks; rules with a regular expression of the
 * user's own run by themselves, behind the literals that the expression needs. Where findings overlap, the one that begins first
 * counts, then the longest, then the first rule.
 *
 * Actions    mask: letters and digits become '*', so that the shape stays. hash: "[name:<16 hex digits>]", of HMAC-SHA-256 under the
 *            salt: the same value gives the same text, and without the salt nobody tries values. The bytes in the line are
 *            hashed: a value with escapes (a%40b.de) is another one than without. replace: the rule's text.
 * Dry run    Findings are counted, the line stays as it is.
 * Ownership  A cw_redact owns all of itself. A line that nothing is found in is returned as it is.
 * Threads    One thread at a time (counters).
 * Bounds     Time is linear in the line: a detector looks at most some hundred bytes around, or goes on behind what it found.
 */
#ifndef CW_PIPELINE_REDACT_H
#define CW_PIPELINE_REDACT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Rules of one stage, the detectors among them. */
enum { CW_REDACT_RULES = 256 };

enum cw_redact_action { CW_REDACT_MASK, CW_REDACT_HASH, CW_REDACT_REPLACE };

struct cw_redact_rule {
    struct cw_str name;       /* a detector's, or one of the user's with an expression */
    struct cw_str expression; /* empty: the detector of that name */
    enum cw_redact_action action;
    struct cw_str replacement; /* REPLACE */
};
struct cw_redact_options {
    const struct cw_redact_rule *rules; /* all borrowed during the call */
    size_t nrules;
    struct cw_str salt; /* needed by HASH */
    bool dry_run;
};

struct cw_redact;

/* CW_E_INVALID: no such detector (the nearest is named), a wrong expression, no salt. */
int cw_redact_new(const struct cw_redact_options *options, struct cw_redact **out,
                  struct cw_err *err) CW_MUST_USE;
void cw_redact_free(struct cw_redact **redact);

/* The line without what the rules find; *n_out, if not NULL: how many findings. They are counted if `counting`. */
struct cw_str cw_redact_line(struct cw_redact *redact, struct cw_str line, bool counting,
                             struct cw_arena *arena, size_t *n_out);

/* A private key whose lines are given one by one. Does one begin in the line, and not end in it? *column becomes where. */
bool cw_redact_key_opens(const struct cw_redact *redact, struct cw_str line, size_t *column);
/* What a line behind that is to the key. */
enum cw_redact_key_line {
    CW_REDACT_KEY_BODY,  /* a piece of it is in the line */
    CW_REDACT_KEY_OTHER, /* none: a header, or a line of somebody else's */
    CW_REDACT_KEY_END,   /* it is over, with this line or, if another one begins in it, before */
};
/* As cw_redact_line() with such a line, without what is of the key too; that is a finding which is not counted: the key was, where
 * it began. */
struct cw_str cw_redact_key_line(struct cw_redact *redact, struct cw_str line, size_t column,
                                 bool counting, struct cw_arena *arena, size_t *n_out,
                                 enum cw_redact_key_line *is_out);

/* The rules in the order given, and what they found in lines that counted. */
size_t cw_redact_nrules(const struct cw_redact *redact);
struct cw_str cw_redact_rule_name(const struct cw_redact *redact, size_t idx);
uint64_t cw_redact_count(const struct cw_redact *redact, size_t idx);

/* The detectors: name and what it finds, NULL behind the last. */
const char *cw_redact_detector(size_t idx, const char **doc_out);

/* Look at every byte of every line, not only where the pass says: for tests, which compare. */
void cw_redact_exhaustive(struct cw_redact *redact);

/* What tokens of the idx-th kind begin with, nothing behind the last: for tests, which repeat each. */
struct cw_str cw_redact_token_text(size_t idx);

#endif

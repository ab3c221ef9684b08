#include "common/pipeline/redact.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/digest.h"
#include "common/match/regex.h"
#include "common/pipeline/redact_priv.h"

static const struct {
    const char *name, *doc;
} detectors[CW_DETECT_N] = {
    [CW_DETECT_EMAIL] = {"email", "E-mail addresses, with %40 too."},
    [CW_DETECT_CARD] = {"card", "Numbers of payment cards that pass Luhn's check."},
    [CW_DETECT_IBAN] = {"iban", "International bank account numbers with the right check digits."},
    [CW_DETECT_PHONE] = {"phone",
                         "Telephone numbers: +49 30 123456, (212) 555-0100, 212-555-0100."},
    [CW_DETECT_IPV4] = {"ipv4", "IPv4 addresses."},
    [CW_DETECT_IPV6] = {"ipv6", "IPv6 addresses."},
    [CW_DETECT_SSN] = {"us_ssn", "Social security numbers of the United States."},
    [CW_DETECT_JWT] = {"jwt", "JSON web tokens."},
    [CW_DETECT_BEARER] = {"bearer_token", "What follows \"Bearer \"."},
    [CW_DETECT_URL_PASSWORD] = {"url_password", "The password in scheme://user:password@host."},
    [CW_DETECT_AWS] = {"aws_key",
                       "Access key ids of AWS, and secret access keys behind their name."},
    [CW_DETECT_GCP] = {"gcp_key", "Google's API keys, OAuth tokens and client secrets."},
    [CW_DETECT_AZURE] = {"azure_key",
                         "AccountKey and SharedAccessKey of Azure connection strings, sig= of "
                         "shared access signatures."},
    [CW_DETECT_GITHUB] = {"github_token", "Tokens of GitHub."},
    [CW_DETECT_GITLAB] =
        {"gitlab_token", "Tokens of GitLab: of people, deployments, jobs, runners, agents, feeds."},
    [CW_DETECT_SLACK] = {"slack_token",
                         "Tokens of Slack's users, bots and apps, and its web hooks."},
    [CW_DETECT_STRIPE] = {"stripe_key",
                          "Secret and restricted keys of Stripe, and secrets of its web hooks."},
    [CW_DETECT_OPENAI] = {"openai_key",
                          "Keys of OpenAI, Anthropic and others that begin with sk-."},
    [CW_DETECT_API_TOKEN] = {"api_token",
                             "Tokens of npm, PyPI, Hugging Face, Shopify, DigitalOcean, SendGrid."},
    [CW_DETECT_PRIVATE_KEY] = {"private_key", "Private keys in PEM, whole or cut off."},
};

const cw_detect_fn cw_detect_by_mask[CW_DETECT_NBY_MASK] = {
    [CW_DETECT_EMAIL] = cw_detect_email, [CW_DETECT_CARD] = cw_detect_card,
    [CW_DETECT_IBAN] = cw_detect_iban,   [CW_DETECT_PHONE] = cw_detect_phone,
    [CW_DETECT_IPV4] = cw_detect_ipv4,   [CW_DETECT_IPV6] = cw_detect_ipv6,
    [CW_DETECT_SSN] = cw_detect_ssn,
};

struct rule {
    struct cw_str name;
    struct cw_regex *regex; /* NULL: a detector */
    enum cw_redact_action action;
    struct cw_str replacement;
    uint64_t count;
};

struct cw_redact {
    struct cw_arena *arena;
    struct rule *rules;
    size_t nrules;
    struct cw_str salt;
    bool dry_run, exhaustive, any_by_mask;
    bool on[CW_DETECT_N];
    size_t rule_of[CW_DETECT_N];
    struct cw_tokens tokens;
};

/* ---- rules ---- */

const char *cw_redact_detector(size_t idx, const char **doc_out)
{
    if (idx >= CW_DETECT_N)
        return NULL;
    if (doc_out != NULL)
        *doc_out = detectors[idx].doc;
    return detectors[idx].name;
}

static int unknown(struct cw_str name, struct cw_err *err)
{
    /* Two slips in a long name, one in a short one: further away it is another word. */
    unsigned limit = name.len >= 5 ? 2 : 1, best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < CW_DETECT_N; i++) {
        unsigned distance = cw_str_distance(name, cw_str_of(detectors[i].name), limit);
        if (distance < best) {
            best = distance;
            nearest = detectors[i].name;
        }
    }
    if (nearest == NULL)
        return cw_err_set(
            err, CW_E_INVALID,
            "there is no detector \"%.*s\" (cordwood-shipper(1) lists them); a rule of "
            "another name wants an expression",
            CW_STR_ARG(name));
    return cw_err_set(err, CW_E_INVALID, "there is no detector \"%.*s\"; did you mean \"%s\"?",
                      CW_STR_ARG(name), nearest);
}

static int turn_on(struct cw_redact *redact, size_t rule, struct cw_err *err)
{
    size_t d = 0;
    while (d < CW_DETECT_N && !cw_str_eqz(redact->rules[rule].name, detectors[d].name))
        d++;
    if (d == CW_DETECT_N)
        return unknown(redact->rules[rule].name, err);
    if (redact->on[d])
        return cw_err_set(err, CW_E_INVALID, "the detector \"%s\" is there twice",
                          detectors[d].name);
    redact->on[d] = true;
    redact->rule_of[d] = rule;
    redact->any_by_mask |= d < CW_DETECT_NBY_MASK;
    return 0;
}

static int add_rule(struct cw_redact *redact, const struct cw_redact_rule *from, struct cw_err *err)
{
    size_t idx = redact->nrules++;
    struct rule *rule = &redact->rules[idx];
    rule->name = cw_arena_dup(redact->arena, from->name);
    rule->replacement = cw_arena_dup(redact->arena, from->replacement);
    rule->action = from->action;
    if (rule->action == CW_REDACT_HASH && redact->salt.len == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "%.*s: a hash needs a salt, or everybody could try all values",
                          CW_STR_ARG(rule->name));
    if (from->expression.len == 0)
        return turn_on(redact, idx, err);
    int rc = cw_regex_compile(from->expression, CW_REGEX_SEARCH, &rule->regex, err);
    if (rc < 0)
        return cw_err_wrap(err, "%.*s", CW_STR_ARG(rule->name));
    if (cw_regex_matches_empty(rule->regex))
        return cw_err_set(err, CW_E_INVALID, "%.*s: the expression matches the empty text",
                          CW_STR_ARG(rule->name));
    return 0;
}

int cw_redact_new(const struct cw_redact_options *options, struct cw_redact **out,
                  struct cw_err *err)
{
    if (options->nrules > CW_REDACT_RULES)
        return cw_err_set(err, CW_E_LIMIT, "%zu rules, at most %d are allowed", options->nrules,
                          CW_REDACT_RULES);
    struct cw_redact *redact = cw_mem_new(sizeof *redact);
    redact->arena = cw_arena_new();
    redact->rules = CW_ARENA_ARRAY(redact->arena, struct rule, options->nrules);
    redact->salt = cw_arena_dup(redact->arena, options->salt);
    redact->dry_run = options->dry_run;
    for (size_t i = 0; i < options->nrules; i++) {
        int rc = add_rule(redact, &options->rules[i], err);
        if (rc < 0) {
            cw_redact_free(&redact);
            return rc;
        }
    }
    cw_tokens_init(&redact->tokens, redact->on);
    *out = redact;
    return 0;
}

void cw_redact_free(struct cw_redact **redact)
{
    if (*redact == NULL)
        return;
    for (size_t i = 0; i < (*redact)->nrules; i++)
        cw_regex_free(&(*redact)->rules[i].regex);
    cw_arena_free(&(*redact)->arena);
    free(*redact);
    *redact = NULL;
}

size_t cw_redact_nrules(const struct cw_redact *redact)
{
    return redact->nrules;
}

struct cw_str cw_redact_rule_name(const struct cw_redact *redact, size_t idx)
{
    return redact->rules[idx].name;
}

uint64_t cw_redact_count(const struct cw_redact *redact, size_t idx)
{
    return redact->rules[idx].count;
}

void cw_redact_exhaustive(struct cw_redact *redact)
{
    redact->exhaustive = true;
}

/* ---- finding ---- */

struct finding {
    struct cw_span span;
    size_t rule;
    bool again; /* of a private key that was counted where it began */
    bool cut;   /* what another one left of it */
};

struct findings {
    struct cw_arena *arena;
    struct finding *items;
    size_t n, cap;
    size_t ends[CW_DETECT_N]; /* of each detector's last one */
};

static void found(struct findings *in, struct cw_span span, size_t rule)
{
    in->items = cw_arena_grow(in->arena, in->items, in->n, &in->cap, in->n + 1, sizeof *in->items);
    in->items[in->n++] = (struct finding){.span = span, .rule = rule};
}

static void look(const struct cw_redact *redact, struct cw_str line, enum cw_detector d, size_t at,
                 struct findings *in)
{
    struct cw_span span;
    if (at < in->ends[d] || !cw_detect_by_mask[d](line, at, &span))
        return;
    in->ends[d] = span.to;
    found(in, span, redact->rule_of[d]);
}

static void find_by_mask(const struct cw_redact *redact, struct cw_str line, struct findings *in)
{
    struct cw_mask_walk walk;
    cw_mask_walk_init(&walk, line);
    do {
        if (!walk.any)
            continue;
        for (unsigned d = 0; d < CW_DETECT_NBY_MASK; d++) {
            if (!redact->on[d])
                continue;
            for (uint64_t bits = walk.out[d]; bits != 0; bits &= bits - 1)
                look(redact, line, d, walk.from + (size_t)__builtin_ctzll(bits), in);
        }
    } while (cw_mask_walk_next(&walk));
}

static void look_for_tokens(const struct cw_redact *redact, struct cw_str line, size_t at,
                            struct findings *in)
{
    struct cw_span span;
    enum cw_detector d;
    uint64_t rows = redact->tokens.rows[(unsigned char)line.ptr[at]];
    while (cw_tokens_next(line, at, in->ends, &rows, &d, &span)) {
        in->ends[d] = span.to;
        found(in, span, redact->rule_of[d]);
    }
}

static void find_everywhere(const struct cw_redact *redact, struct cw_str line, struct findings *in)
{
    for (size_t at = 0; at < line.len; at++) {
        for (unsigned d = 0; d < CW_DETECT_NBY_MASK; d++) {
            if (redact->on[d])
                look(redact, line, d, at, in);
        }
        look_for_tokens(redact, line, at, in);
    }
}

static void find_regex(const struct cw_redact *redact, size_t idx, struct cw_str line,
                       struct findings *in)
{
    struct cw_regex_scan scan = {.text = line};
    struct cw_str match;
    /* An expression that passes its limits finds nothing more in this line. */
    while (cw_regex_scan_next(redact->rules[idx].regex, &scan, &match, 1, NULL) == 1) {
        size_t from = (size_t)(match.ptr - line.ptr);
        if (match.len > 0)
            found(in, (struct cw_span){from, from + match.len}, idx);
        scan.from = from + CW_MAX(match.len, 1);
        if (scan.from > line.len)
            break;
    }
}

static void find_all(const struct cw_redact *redact, struct cw_str line, struct findings *in)
{
    if (redact->exhaustive) {
        find_everywhere(redact, line, in);
    } else {
        size_t at;
        if (redact->any_by_mask)
            find_by_mask(redact, line, in);
        for (struct cw_triple_walk walk = cw_triple_walk_make(&redact->tokens.scan, line);
             cw_triple_walk_next(&walk, &at);)
            look_for_tokens(redact, line, at, in);
    }
    for (size_t i = 0; i < redact->nrules; i++) {
        if (redact->rules[i].regex != NULL)
            find_regex(redact, i, line, in);
    }
}

static int order_findings(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->span.from != y->span.from)
        return x->span.from < y->span.from ? -1 : 1;
    if (x->span.to != y->span.to)
        return x->span.to > y->span.to ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* ---- blotting out ---- */

enum { HASH_BYTES = 8 }; /* of the digest that are shown */

/* How long what is put in a finding's place is. */
static size_t instead_len(const struct rule *rule, size_t len)
{
    switch (rule->action) {
    case CW_REDACT_MASK: return len;
    case CW_REDACT_HASH: return rule->name.len + 2 * HASH_BYTES + 3;
    case CW_REDACT_REPLACE: return rule->replacement.len;
    }
    return 0;
}

static char *put(char *to, struct cw_str text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static char *put_hash(const struct cw_redact *redact, const struct rule *rule, struct cw_str value,
                      char *to)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[CW_SHA256_BYTES];
    cw_hmac_sha256(redact->salt, value, digest);
    *to++ = '[';
    to = put(to, rule->name);
    *to++ = ':';
    for (int i = 0; i < HASH_BYTES; i++) {
        *to++ = digits[digest[i] >> 4];
        *to++ = digits[digest[i] & 15];
    }
    *to++ = ']';
    return to;
}

static char *put_mask(struct cw_str value, char *to)
{
    for (size_t i = 0; i < value.len; i++) {
        bool shown = (unsigned char)value.ptr[i] < 0x80 && !cw_is_alnum(value.ptr[i]);
        *to++ = shown ? value.ptr[i] : '*';
    }
    return to;
}

static char *put_instead(const struct cw_redact *redact, const struct rule *rule,
                         struct cw_str value, char *to)
{
    switch (rule->action) {
    case CW_REDACT_MASK: return put_mask(value, to);
    case CW_REDACT_HASH: return put_hash(redact, rule, value, to);
    case CW_REDACT_REPLACE: return put(to, rule->replacement);
    }
    return to;
}

/* Leaves the findings that count, and says how long the line becomes. Of what overlaps a piece of a private key that began before,
 * and of the piece, the rest counts too: neither hides the other's end. */
static size_t settle(struct cw_redact *redact, size_t len, bool counting, struct findings *in)
{
    size_t done = 0, n = 0;
    if (in->n > 1)
        qsort(in->items, in->n, sizeof *in->items, order_findings);
    for (size_t i = 0; i < in->n; i++) {
        struct finding *item = &in->items[i];
        struct cw_span *span = &item->span;
        struct rule *rule = &redact->rules[item->rule];
        const struct finding *last = n > 0 ? &in->items[n - 1] : NULL;
        if (span->from < done) {
            item->cut = span->to > done && (item->again || last->again || last->cut);
            if (!item->cut)
                continue;
            span->from = done;
        }
        rule->count += counting && !item->again;
        len = len - (span->to - span->from) + instead_len(rule, span->to - span->from);
        done = span->to;
        in->items[n++] = *item;
    }
    in->n = n;
    return len;
}

bool cw_redact_is_on(const struct cw_redact *redact, enum cw_detector detector)
{
    return redact->on[detector];
}

/* The line with others in the place of findings that do not overlap; it has `len` bytes then. */
static struct cw_str blot_out(const struct cw_redact *redact, struct cw_str line, size_t len,
                              const struct findings *in)
{
    size_t done = 0;
    char *out = cw_arena_alloc(in->arena, len), *to = out;
    for (size_t i = 0; i < in->n; i++) {
        struct cw_span span = in->items[i].span;
        to = put(to, cw_str_sub(line, done, span.from));
        to = put_instead(redact, &redact->rules[in->items[i].rule],
                         cw_str_sub(line, span.from, span.to), to);
        done = span.to;
    }
    to = put(to, cw_str_sub(line, done, line.len));
    CW_ASSERT(to == out + len);
    return cw_str_make(out, len);
}

struct cw_str cw_redact_around(struct cw_redact *redact, struct cw_str line,
                               const struct cw_span *spans, size_t nspans, bool counting,
                               struct cw_arena *arena, size_t *n_out)
{
    struct findings in = {.arena = arena};
    for (size_t i = 0; i < nspans; i++) {
        found(&in, spans[i], redact->rule_of[CW_DETECT_PRIVATE_KEY]);
        in.items[i].again = true;
    }
    if (line.len > 0)
        find_all(redact, line, &in);
    size_t len = settle(redact, line.len, counting, &in);
    if (n_out != NULL)
        *n_out = in.n;
    if (in.n == 0 || redact->dry_run)
        return line;
    return blot_out(redact, line, len, &in);
}

struct cw_str cw_redact_line(struct cw_redact *redact, struct cw_str line, bool counting,
                             struct cw_arena *arena, size_t *n_out)
{
    return cw_redact_around(redact, line, NULL, 0, counting, arena, n_out);
}

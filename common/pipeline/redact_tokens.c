/* Keys and tokens, which begin with a text that gives them away. */
#include "common/base/assert.h"
#include "common/pipeline/redact_priv.h"

/* What a token is made of. */
enum alphabet {
    UPPERS, /* A-Z 0-9 */
    HEXES,  /* 0-9 a-f */
    ALNUMS,
    WORDS,     /* and _ */
    BASE64URL, /* and - _ */
    DOTTED,    /* and dots within */
    BASE64,    /* and + / =, which may be escaped: "%2B", "\/" */
    EITHER64,  /* of both without = */
    BEARERS,   /* RFC 6750: and - . _ ~ + / = */
};

static bool is_of(char c, enum alphabet alphabet)
{
    switch (alphabet) {
    case UPPERS: return cw_is_upper(c) || cw_is_digit(c);
    case HEXES: return cw_is_digit(c) || (c >= 'a' && c <= 'f');
    case ALNUMS: return cw_is_alnum(c);
    case WORDS: return cw_is_alnum(c) || c == '_';
    case BASE64URL:
    case DOTTED: return cw_is_alnum(c) || c == '_' || c == '-';
    case BASE64: return cw_is_alnum(c) || c == '+' || c == '/' || c == '=';
    case EITHER64: return cw_is_alnum(c) || (c != '\0' && strchr("+/-_", c) != NULL);
    default: return cw_is_alnum(c) || (c != '\0' && strchr("-._~+/=", c) != NULL);
    }
}

/* How long the character of the alphabet there is; 0: there is none. */
static size_t char_at(struct cw_str line, size_t at, enum alphabet alphabet)
{
    char c = cw_at(line, at), escaped;
    if (alphabet == DOTTED && c == '.')
        return is_of(cw_at(line, at + 1), DOTTED);
    if (is_of(c, alphabet))
        return 1;
    if (alphabet != BASE64 && alphabet != EITHER64)
        return 0;
    if (c == '\\' && cw_at(line, at + 1) == '/') /* so PHP writes JSON */
        return 2;
    size_t n = cw_escape_at(line, at, &escaped);
    return n > 0 && is_of(escaped, alphabet) ? n : 0;
}

enum token_flag {
    KEEP = 1,       /* the text itself stays: it is not secret */
    WITHIN = 2,     /* it may be the end of a longer word */
    GAP = 4,        /* quotes, spaces, '=' and ':' may stand behind it */
    MIXED = 8,      /* it has a digit and a letter, which words have not */
    NUMBERED = 16,  /* it begins with a digit */
    NOCASE = 32,    /* the text in any case */
    SIGNATURE = 64, /* of Azure: see is_signature() */
    DENSE = 128     /* no name with short words: see is_dense() */
};

struct token {
    enum cw_detector detector;
    struct cw_str text;   /* it begins with */
    unsigned char anchor; /* of three bytes in it that other texts seldom have */
    unsigned char group;  /* of the scan: those whose three bytes are alike share one */
    unsigned char alphabet;
    unsigned flags;
    size_t min, max; /* what follows has so many characters, all that its alphabet lets it be */
};
#define TEXT(z)                                                                                    \
    {                                                                                              \
        z, sizeof(z) - 1                                                                           \
    }
#define ANY_LENGTH SIZE_MAX
/* A long run may be none: were one looked for behind a '-' within it too, the rest of it would be read each time. */
#define SOME_RUNS (MIXED | NUMBERED)
#define NAME (KEEP | WITHIN | GAP | NOCASE)

/* The lengths and alphabets that the issuers document. */
static const struct token tokens[] = {
    {CW_DETECT_JWT, TEXT("eyJ"), 0, 4},
    {CW_DETECT_URL_PASSWORD, TEXT("://"), 0, 6},
    {CW_DETECT_PRIVATE_KEY, TEXT("-----BEGIN "), 4, 0},
    {CW_DETECT_BEARER, TEXT("bearer "), 3, 1, BEARERS, KEEP | NOCASE, 16, ANY_LENGTH},
    {CW_DETECT_AWS, TEXT("AKIA"), 1, 4, UPPERS, 0, 16, 16},
    {CW_DETECT_AWS, TEXT("ASIA"), 0, 1, UPPERS, 0, 16, 16},
    {CW_DETECT_AWS, TEXT("secret_access_key"), 12, 5, BASE64, NAME, 40, 40},
    {CW_DETECT_AWS, TEXT("secret-access-key"), 13, 0, BASE64, NAME, 40, 40},
    {CW_DETECT_AWS, TEXT("secretaccesskey"), 11, 0, BASE64, NAME, 40, 40},
    {CW_DETECT_AWS, TEXT("secret_key"), 6, 0, BASE64, NAME, 40, 40},
    {CW_DETECT_GCP, TEXT("AIza"), 0, 4, BASE64URL, 0, 35, 35},
    {CW_DETECT_GCP, TEXT("ya29."), 0, 1, DOTTED, 0, 20, ANY_LENGTH},
    {CW_DETECT_GCP, TEXT("GOCSPX-"), 0, 4, BASE64URL, 0, 28, 28},
    {CW_DETECT_AZURE, TEXT("AccountKey="), 0, 5, BASE64, KEEP, 44, 88},
    {CW_DETECT_AZURE, TEXT("SharedAccessKey="), 6, 5, BASE64, KEEP, 43, 88},
    {CW_DETECT_AZURE, TEXT("sig"), 0, 5, EITHER64, SIGNATURE, 0, 0},
    {CW_DETECT_GITHUB, TEXT("ghp_"), 0, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("gho_"), 0, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("ghu_"), 0, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("ghs_"), 0, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("ghr_"), 0, 3, ALNUMS, 0, 36, 76},
    {CW_DETECT_GITHUB, TEXT("github_pat_"), 8, 4, WORDS, 0, 82, 82},
    {CW_DETECT_GITLAB, TEXT("glpat-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},
    {CW_DETECT_GITLAB, TEXT("glptt-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},   /* triggers */
    {CW_DETECT_GITLAB, TEXT("gldt-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},    /* deploying */
    {CW_DETECT_GITLAB, TEXT("glrt-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},    /* runners */
    {CW_DETECT_GITLAB, TEXT("glrtr-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},   /* registering them */
    {CW_DETECT_GITLAB, TEXT("glcbt-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},   /* jobs */
    {CW_DETECT_GITLAB, TEXT("glft-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},    /* feeds */
    {CW_DETECT_GITLAB, TEXT("glimt-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},   /* incoming mail */
    {CW_DETECT_GITLAB, TEXT("glagent-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH}, /* Kubernetes */
    {CW_DETECT_GITLAB, TEXT("gloas-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},   /* OAuth */
    {CW_DETECT_GITLAB, TEXT("glsoat-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},  /* SCIM */
    {CW_DETECT_GITLAB, TEXT("glffct-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},  /* feature flags */
    {CW_DETECT_GITLAB, TEXT("glwt-"), 0, 3, BASE64URL, 0, 20, ANY_LENGTH},    /* workspaces */
    {CW_DETECT_GITLAB, TEXT("GR1348941"), 0, 6, BASE64URL, 0, 20, 20},        /* registration */
    {CW_DETECT_SLACK, TEXT("xoxa-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxb-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxc-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxd-"), 0, 5, BASE64, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxe-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxo-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxp-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxr-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxs-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xapp-"), 0, 1, BASE64URL, NUMBERED, 20, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("hooks.slack.com/services/"), 14, 4, BASE64, KEEP, 30, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("sk_live_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("rk_live_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("sk_test_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("rk_test_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("whsec_"), 0, 5, BASE64, 0, 24, ANY_LENGTH},
    {CW_DETECT_OPENAI, TEXT("sk-"), 0, 0, BASE64URL, MIXED | DENSE, 20, ANY_LENGTH},
    {CW_DETECT_API_TOKEN, TEXT("npm_"), 1, 2, ALNUMS, 0, 36, 36},
    {CW_DETECT_API_TOKEN, TEXT("hf_"), 0, 2, ALNUMS, MIXED, 34, 40},
    {CW_DETECT_API_TOKEN, TEXT("shpat_"), 3, 4, HEXES, 0, 32, 32},
    {CW_DETECT_API_TOKEN, TEXT("dop_v1_"), 1, 2, HEXES, 0, 64, 64},
    {CW_DETECT_API_TOKEN, TEXT("doo_v1_"), 1, 2, HEXES, 0, 64, 64},
    {CW_DETECT_API_TOKEN, TEXT("dor_v1_"), 1, 2, HEXES, 0, 64, 64},
    {CW_DETECT_API_TOKEN, TEXT("pypi-AgEI"), 5, 1, BASE64URL, 0, 50, ANY_LENGTH},
    {CW_DETECT_API_TOKEN, TEXT("SG."), 0, 6, BEARERS, MIXED, 66, 66},
};

_Static_assert(CW_COUNT(tokens) <= 64, "a bit for each");

/* The letter in the other case, the byte itself if it is none. */
static char other_case(char c)
{
    return cw_is_alnum(c) && !cw_is_digit(c) ? (char)(c ^ 0x20) : c;
}

static void add_byte(struct cw_tokens *out, const struct token *t, unsigned place, char c)
{
    if (place == 0)
        out->rows[(unsigned char)c] |= UINT64_C(1) << (t - tokens);
    cw_triple_scan_add(&out->scan, place, t->group, cw_str_make(&c, 1));
}

struct cw_str cw_redact_token_text(size_t idx)
{
    return idx < CW_COUNT(tokens) ? tokens[idx].text : CW_STR_NONE;
}

void cw_tokens_init(struct cw_tokens *out, const bool on[CW_DETECT_N])
{
    memset(out->rows, 0, sizeof out->rows);
    cw_triple_scan_init(&out->scan);
    for (const struct token *t = tokens; t < tokens + CW_COUNT(tokens); t++) {
        for (unsigned place = 0; on[t->detector] && place < CW_TRIPLE_PLACES; place++) {
            char c = t->text.ptr[t->anchor + place];
            add_byte(out, t, place, c);
            if (t->flags & NOCASE)
                add_byte(out, t, place, other_case(c));
        }
    }
}

/* How many characters of the alphabet stand from *at on, which goes behind them; looks at one more than `max`. */
static size_t run_of(struct cw_str line, size_t *at, enum alphabet alphabet, size_t max)
{
    size_t n = 0;
    for (size_t len; n <= max && (len = char_at(line, *at, alphabet)) > 0; n++)
        *at += len;
    return n;
}

/* Three parts of base64url with dots between, the first two objects ("{" is "ey"). */
static bool is_jwt(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t to = at;
    char before = cw_before(line, at);
    if (cw_follows_word(line, at) || before == '_' || before == '-' || before == '.')
        return false;
    for (int part = 0; part < 3; part++) {
        size_t from = to, n = run_of(line, &to, BASE64URL, ANY_LENGTH);
        if (n < 10 || (part == 1 && !cw_str_starts(cw_str_sub(line, from, to), CW_STR("eyJ"))))
            return false;
        if (part < 2 && cw_at(line, to++) != '.')
            return false;
    }
    *out = (struct cw_span){at, to};
    return true;
}

/* scheme://user:password@host: the password, in which there may be an '@'. */
static bool is_url_password(struct cw_str line, size_t at, struct cw_span *out)
{
    enum { USER_INFO = 256 };
    size_t from = at + 3, colon = 0, sign = 0;
    if (!cw_is_alnum(cw_before(line, at)))
        return false;
    for (size_t to = from; to < line.len && to - from < USER_INFO; to++) {
        char c = line.ptr[to];
        if (c == ':' && colon == 0)
            colon = to;
        if ((unsigned char)c <= ' ' || strchr("/?#\"'<>", c) != NULL || (c == '@' && colon == 0))
            break;
        if (c == '@')
            sign = to;
    }
    *out = (struct cw_span){colon + 1, sign};
    return sign > colon + 1;
}

/* From "-----BEGIN ... PRIVATE KEY-----" to its end, or to the line's: a part of a key is one too. */
bool cw_detect_private_key(struct cw_str line, size_t at, struct cw_span *out)
{
    enum { KIND = 40 };
    struct cw_str rest = cw_str_sub(line, at + 11, at + 11 + KIND);
    ptrdiff_t kind = cw_str_find(rest, CW_STR("PRIVATE KEY"));
    if (kind < 0 || cw_str_find_byte(cw_str_sub(rest, 0, (size_t)kind), '-') >= 0)
        return false;
    struct cw_str body = cw_str_sub(line, at + 11, line.len);
    ptrdiff_t end = cw_str_find(body, CW_STR("-----END "));
    size_t to = line.len;
    if (end >= 0) {
        size_t from = at + 11 + (size_t)end + 9;
        ptrdiff_t dashes = cw_str_find(cw_str_sub(line, from, from + KIND), CW_STR("-----"));
        if (dashes >= 0)
            to = from + (size_t)dashes + 5;
    }
    *out = (struct cw_span){at, to};
    return true;
}

static bool is_mixed(struct cw_str text)
{
    bool digit = false, letter = false;
    for (size_t i = 0; i < text.len; i++) {
        digit |= cw_is_digit(text.ptr[i]);
        letter |= cw_is_alnum(text.ptr[i]) && !cw_is_digit(text.ptr[i]);
    }
    return digit && letter;
}

/* Not sk-frontend-7d9f8c6b5d-abcde, a pod of Kubernetes: an issuer's mark, an upper-case letter, or so much without a dash. */
static bool is_dense(struct cw_str text)
{
    static const struct cw_str marks[] = {TEXT("proj-"), TEXT("ant-"), TEXT("svcacct-"),
                                          TEXT("or-v1-")};
    enum { PART = 20 };
    for (size_t i = 0; i < CW_COUNT(marks); i++) {
        if (cw_str_starts(text, marks[i]))
            return true;
    }
    for (size_t i = 0, n = 0; i < text.len; i++) {
        n = text.ptr[i] == '-' ? 0 : n + 1;
        if (n == PART || cw_is_upper(text.ptr[i]))
            return true;
    }
    return false;
}

/* How long the '=' there is, which may be escaped; 0: there is none. */
static size_t equals_at(struct cw_str line, size_t at)
{
    char c = cw_at(line, at);
    size_t n = c == '=' ? 1 : cw_escape_at(line, at, &c);
    return c == '=' ? n : 0;
}

/* sv= or se= with a number or a date, which stand beside the signature in a URL; the text is a part of one. */
static bool has_sas_parameter(struct cw_str text)
{
    for (size_t i = 0; i + 3 < text.len; i++) {
        char before = cw_before(text, i);
        if (text.ptr[i] != 's' || (text.ptr[i + 1] != 'v' && text.ptr[i + 1] != 'e') ||
            (cw_is_alnum(before) && !cw_is_digit(before)))
            continue;
        size_t n = equals_at(text, i + 2);
        if (n > 0 && cw_is_digit(cw_at(text, i + 2 + n)))
            return true;
    }
    return false;
}

/* The part of the line around a span that has no space and no quote, or so much of it as other parameters may take. */
static struct cw_str word_around(struct cw_str line, struct cw_span span)
{
    enum { BEFORE = 512, BEHIND = 256 };
    size_t from = span.from, to = span.to;
    while (from > 0 && span.from - from < BEFORE && strchr(" \t\"'<>", line.ptr[from - 1]) == NULL)
        from--;
    while (to < line.len && to - span.to < BEHIND && strchr(" \t\"'<>", line.ptr[to]) == NULL)
        to++;
    return cw_str_sub(line, from, to);
}

/* The signature of a shared access of Azure: HMAC-SHA-256 in Base64, which is 43 characters and a '='. Without the other parameters
 * of such a URL beside it, it has about that length and the '='. Logic Apps leave that off, and take the alphabet for URLs. */
static bool is_signature(struct cw_str line, size_t at, struct cw_span *out)
{
    enum { MIN = 20, ALONE_MIN = 40, ALONE_MAX = 48 };
    size_t equals = equals_at(line, at), from = at + equals, to = from;
    if (equals == 0)
        return false;
    size_t n = run_of(line, &to, EITHER64, ANY_LENGTH), pad = equals_at(line, to);
    to += pad;
    *out = (struct cw_span){from, to};
    return (pad > 0 && n >= ALONE_MIN && n <= ALONE_MAX) ||
           (n >= MIN && has_sas_parameter(word_around(line, *out)));
}

/* Behind what stands between a name and its value, such as `=`, `": "` and `","value":"`. */
static size_t gap_end(struct cw_str line, size_t at)
{
    enum { GAP_BYTES = 24 };
    static const struct cw_str value = TEXT("value");
    size_t to = at;
    while (to - at < GAP_BYTES) {
        if (cw_at(line, to) != '\0' && strchr(" :=\"'\\>,", line.ptr[to]) != NULL)
            to++;
        else if (to > at && cw_str_eq_nocase(cw_str_sub(line, to, to + value.len), value))
            to += value.len;
        else
            break;
    }
    return to;
}

static bool is_token(const struct token *t, struct cw_str line, size_t at, struct cw_span *out)
{
    char before = cw_before(line, at);
    size_t from = at + t->text.len;
    if (t->flags & SIGNATURE)
        return is_signature(line, from, out);
    if (!(t->flags & WITHIN) &&
        (cw_follows_word(line, at) || before == '_' || (t->flags & SOME_RUNS && before == '-')))
        return false;
    if (t->flags & GAP)
        from = gap_end(line, from);
    if (t->flags & NUMBERED && !cw_is_digit(cw_at(line, from)))
        return false;
    size_t to = from, n = run_of(line, &to, t->alphabet, t->max);
    *out = (struct cw_span){t->flags & KEEP ? from : at, to};
    return n >= t->min && n <= t->max &&
           (!(t->flags & MIXED) || is_mixed(cw_str_sub(line, from, to))) &&
           (!(t->flags & DENSE) || is_dense(cw_str_sub(line, from, to)));
}

static bool is_at(const struct token *t, struct cw_str line, size_t at, struct cw_span *out)
{
    switch (t->detector) {
    case CW_DETECT_JWT: return is_jwt(line, at, out);
    case CW_DETECT_URL_PASSWORD: return is_url_password(line, at, out);
    case CW_DETECT_PRIVATE_KEY: return cw_detect_private_key(line, at, out);
    default: return is_token(t, line, at, out);
    }
}

static bool has_text(const struct token *t, struct cw_str line, size_t at)
{
    struct cw_str text = cw_str_sub(line, at, at + t->text.len);
    return t->flags & NOCASE ? cw_str_eq_nocase(text, t->text) : cw_str_eq(text, t->text);
}

bool cw_tokens_next(struct cw_str line, size_t at, const size_t ends[CW_DETECT_N], uint64_t *rows,
                    enum cw_detector *detector, struct cw_span *out)
{
    while (*rows != 0) {
        const struct token *t = &tokens[__builtin_ctzll(*rows)];
        size_t from = at - t->anchor;
        *rows &= *rows - 1;
        if (at < t->anchor || from < ends[t->detector] || !has_text(t, line, from))
            continue;
        *detector = t->detector;
        if (is_at(t, line, from, out))
            return true;
    }
    return false;
}

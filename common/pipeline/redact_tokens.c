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
    BASE64,    /* and + / = */
    BEARERS,   /* RFC 6750: and - . _ ~ + / = */
};

static bool is_of(char c, enum alphabet alphabet)
{
    switch (alphabet) {
    case UPPERS: return cw_is_upper(c) || cw_is_digit(c);
    case HEXES: return cw_is_digit(c) || (c >= 'a' && c <= 'f');
    case ALNUMS: return cw_is_alnum(c);
    case WORDS: return cw_is_alnum(c) || c == '_';
    case BASE64URL: return cw_is_alnum(c) || c == '_' || c == '-';
    case BASE64: return cw_is_alnum(c) || c == '+' || c == '/' || c == '=';
    default: return cw_is_alnum(c) || (c != '\0' && strchr("-._~+/=", c) != NULL);
    }
}

enum token_flag {
    KEEP = 1,   /* the text itself stays: it is not secret */
    WITHIN = 2, /* it may be the end of a longer word */
    GAP = 4,    /* quotes, spaces, '=' and ':' may stand behind it */
    MIXED = 8,  /* it has a digit and a letter, which words have not */
};

struct token {
    enum cw_detector detector;
    struct cw_str text;   /* it begins with */
    unsigned char anchor; /* of three bytes in it that other texts seldom have */
    unsigned char group;  /* of the scan: those whose three bytes are alike share one */
    unsigned char alphabet;
    unsigned flags;
    size_t min, max; /* what follows is so long, all that its alphabet lets it be */
};
#define TEXT(z)                                                                                    \
    {                                                                                              \
        z, sizeof(z) - 1                                                                           \
    }
#define ANY_LENGTH SIZE_MAX

/* The lengths and alphabets that the issuers document. */
static const struct token tokens[] = {
    {CW_DETECT_JWT, TEXT("eyJ"), 0, 0},
    {CW_DETECT_URL_PASSWORD, TEXT("://"), 0, 6},
    {CW_DETECT_PRIVATE_KEY, TEXT("-----BEGIN "), 0, 6},
    {CW_DETECT_BEARER, TEXT("Bearer "), 3, 1, BEARERS, KEEP, 16, ANY_LENGTH},
    {CW_DETECT_BEARER, TEXT("bearer "), 3, 1, BEARERS, KEEP, 16, ANY_LENGTH},
    {CW_DETECT_AWS, TEXT("AKIA"), 0, 2, UPPERS, 0, 16, 16},
    {CW_DETECT_AWS, TEXT("ASIA"), 0, 2, UPPERS, 0, 16, 16},
    {CW_DETECT_AWS, TEXT("ecret_access_key"), 4, 7, BASE64, KEEP | WITHIN | GAP, 40, 40},
    {CW_DETECT_AWS, TEXT("ecretAccessKey"), 10, 0, BASE64, KEEP | WITHIN | GAP, 40, 40},
    {CW_DETECT_GCP, TEXT("AIza"), 0, 2, BASE64URL, 0, 35, 35},
    {CW_DETECT_GCP, TEXT("ya29."), 2, 2, BASE64URL, 0, 20, ANY_LENGTH},
    {CW_DETECT_GCP, TEXT("GOCSPX-"), 3, 0, BASE64URL, 0, 28, 28},
    {CW_DETECT_AZURE, TEXT("AccountKey="), 6, 0, BASE64, KEEP, 44, 88},
    {CW_DETECT_AZURE, TEXT("SharedAccessKey="), 11, 0, BASE64, KEEP, 43, 88},
    {CW_DETECT_GITHUB, TEXT("ghp_"), 1, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("gho_"), 1, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("ghu_"), 1, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("ghs_"), 1, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_GITHUB, TEXT("ghr_"), 1, 3, ALNUMS, 0, 36, 76},
    {CW_DETECT_GITHUB, TEXT("github_pat_"), 8, 4, WORDS, 0, 82, 82},
    {CW_DETECT_GITLAB, TEXT("glpat-"), 3, 4, BASE64URL, 0, 20, 64},
    {CW_DETECT_SLACK, TEXT("xoxa-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxb-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxe-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxo-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxp-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxr-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("xoxs-"), 0, 5, BASE64URL, 0, 10, ANY_LENGTH},
    {CW_DETECT_SLACK, TEXT("hooks.slack.com/services/"), 5, 5, BASE64, KEEP, 30, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("sk_live_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("rk_live_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("sk_test_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_STRIPE, TEXT("rk_test_"), 1, 7, ALNUMS, 0, 16, ANY_LENGTH},
    {CW_DETECT_OPENAI, TEXT("sk-"), 0, 7, BASE64URL, MIXED, 20, ANY_LENGTH},
    {CW_DETECT_API_TOKEN, TEXT("npm_"), 1, 3, ALNUMS, 0, 36, 36},
    {CW_DETECT_API_TOKEN, TEXT("hf_"), 0, 3, ALNUMS, MIXED, 34, 40},
    {CW_DETECT_API_TOKEN, TEXT("shpat_"), 3, 4, HEXES, 0, 32, 32},
    {CW_DETECT_API_TOKEN, TEXT("dop_v1_"), 3, 5, HEXES, 0, 64, 64},
    {CW_DETECT_API_TOKEN, TEXT("pypi-AgEI"), 5, 2, BASE64URL, 0, 50, ANY_LENGTH},
    {CW_DETECT_API_TOKEN, TEXT("SG."), 0, 2, BEARERS, MIXED, 66, 66},
};

_Static_assert(CW_COUNT(tokens) <= 64, "a bit for each");

void cw_tokens_init(struct cw_tokens *out, const bool on[CW_DETECT_N])
{
    memset(out->rows, 0, sizeof out->rows);
    cw_triple_scan_init(&out->scan);
    for (size_t i = 0; i < CW_COUNT(tokens); i++) {
        const struct token *t = &tokens[i];
        if (!on[t->detector])
            continue;
        out->rows[(unsigned char)t->text.ptr[t->anchor]] |= UINT64_C(1) << i;
        for (unsigned place = 0; place < CW_TRIPLE_PLACES; place++)
            cw_triple_scan_add(&out->scan, place, t->group,
                               cw_str_sub(t->text, t->anchor + place, t->anchor + place + 1u));
    }
}

/* How many bytes of the alphabet stand there; looks at one more than `max`. */
static size_t run_of(struct cw_str line, size_t at, enum alphabet alphabet, size_t max)
{
    size_t to = at;
    while (to < line.len && to - at <= max && is_of(line.ptr[to], alphabet))
        to++;
    return to - at;
}

/* Three parts of base64url with dots between, the first two objects ("{" is "ey"). */
static bool is_jwt(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t to = at;
    char before = cw_before(line, at);
    if (is_of(before, BASE64URL) || before == '.')
        return false;
    for (int part = 0; part < 3; part++) {
        size_t n = run_of(line, to, BASE64URL, ANY_LENGTH);
        if (n < 10 || (part == 1 && !cw_str_starts(cw_str_sub(line, to, to + 3), CW_STR("eyJ"))))
            return false;
        to += n;
        if (part < 2 && cw_at(line, to++) != '.')
            return false;
    }
    *out = (struct cw_span){at, to};
    return true;
}

/* scheme://user:password@host: the password. */
static bool is_url_password(struct cw_str line, size_t at, struct cw_span *out)
{
    enum { USER_INFO = 256 };
    size_t from = at + 3, colon = 0;
    if (!cw_is_alnum(cw_before(line, at)))
        return false;
    for (size_t to = from; to < line.len && to - from < USER_INFO; to++) {
        char c = line.ptr[to];
        if (c == ':' && colon == 0)
            colon = to;
        if (c == '@' && colon > 0 && to > colon + 1) {
            *out = (struct cw_span){colon + 1, to};
            return true;
        }
        if (c <= ' ' || strchr("/?#\"'@<>", c) != NULL)
            return false;
    }
    return false;
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

static bool is_token(const struct token *t, struct cw_str line, size_t at, struct cw_span *out)
{
    char before = cw_before(line, at);
    size_t from = at + t->text.len;
    if (!(t->flags & WITHIN) &&
        (cw_is_alnum(before) || before == '_' || (t->flags & MIXED && before == '-')))
        return false;
    for (int gap = 0; t->flags & GAP && gap < 8 && cw_at(line, from) != '\0' &&
                      strchr(" :=\"'\\>", line.ptr[from]) != NULL;
         gap++)
        from++;
    size_t n = run_of(line, from, t->alphabet, t->max);
    *out = (struct cw_span){t->flags & KEEP ? from : at, from + n};
    return n >= t->min && n <= t->max &&
           (!(t->flags & MIXED) || is_mixed(cw_str_sub(line, from, from + n)));
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

bool cw_tokens_next(struct cw_str line, size_t at, const size_t ends[CW_DETECT_N], uint64_t *rows,
                    enum cw_detector *detector, struct cw_span *out)
{
    while (*rows != 0) {
        const struct token *t = &tokens[__builtin_ctzll(*rows)];
        size_t from = at - t->anchor;
        *rows &= *rows - 1;
        if (at < t->anchor || from < ends[t->detector] ||
            !cw_str_starts(cw_str_sub(line, from, line.len), t->text))
            continue;
        *detector = t->detector;
        if (is_at(t, line, from, out))
            return true;
    }
    return false;
}

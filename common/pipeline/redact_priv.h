/* redact_priv.h - detectors, and the bit masks that say where one may have something. */
#ifndef CW_PIPELINE_REDACT_PRIV_H
#define CW_PIPELINE_REDACT_PRIV_H
#include "common/match/triple_scan.h"
#include "common/pipeline/redact.h"

enum cw_detector {
    CW_DETECT_EMAIL,
    CW_DETECT_CARD,
    CW_DETECT_IBAN,
    CW_DETECT_PHONE,
    CW_DETECT_IPV4,
    CW_DETECT_IPV6,
    CW_DETECT_SSN,
    CW_DETECT_NBY_MASK, /* those above are found by masks, those below by the text that they begin with */
    CW_DETECT_JWT = CW_DETECT_NBY_MASK,
    CW_DETECT_BEARER,
    CW_DETECT_URL_PASSWORD,
    CW_DETECT_AWS,
    CW_DETECT_GCP,
    CW_DETECT_AZURE,
    CW_DETECT_GITHUB,
    CW_DETECT_GITLAB,
    CW_DETECT_SLACK,
    CW_DETECT_STRIPE,
    CW_DETECT_OPENAI,
    CW_DETECT_API_TOKEN,
    CW_DETECT_PRIVATE_KEY,
    CW_DETECT_N,
};

struct cw_span {
    size_t from, to;
};

/* Whether the detector has something whose anchor is at `at`: the '@' of an e-mail address, the first dot of an IPv4 address, a colon
 * of an IPv6 address, the '+' of a phone number, else the first byte. The '@' and the '+' may be escaped as in URLs. */
typedef bool (*cw_detect_fn)(struct cw_str line, size_t at, struct cw_span *out);
extern const cw_detect_fn cw_detect_by_mask[CW_DETECT_NBY_MASK];
bool cw_detect_email(struct cw_str line, size_t at, struct cw_span *out);
bool cw_detect_card(struct cw_str line, size_t at, struct cw_span *out);
bool cw_detect_iban(struct cw_str line, size_t at, struct cw_span *out);
bool cw_detect_phone(struct cw_str line, size_t at, struct cw_span *out);
bool cw_detect_ipv4(struct cw_str line, size_t at, struct cw_span *out);
bool cw_detect_ipv6(struct cw_str line, size_t at, struct cw_span *out);
bool cw_detect_ssn(struct cw_str line, size_t at, struct cw_span *out);

/* Bit i of out[d]: detector d may have its anchor at byte from + i. Every place where it has is told. */
enum { CW_MASK_BLOCK = 64, CW_MASK_CLASSES = 10 };
struct cw_mask_walk {
    struct cw_str line;
    size_t from;
    uint64_t out[CW_DETECT_NBY_MASK];
    bool any;                             /* some bit is set */
    uint64_t classes[2][CW_MASK_CLASSES]; /* of this block and the next one, by turns */
    unsigned turn;
    bool digit_before, hex_before;
};
/* At the first block. */
void cw_mask_walk_init(struct cw_mask_walk *walk, struct cw_str line);
/* The next block; false behind the last. */
bool cw_mask_walk_next(struct cw_mask_walk *walk);

/* Tokens that begin with a text: where three bytes of it may be, and which of them have that first byte. */
struct cw_tokens {
    struct cw_triple_scan scan;
    uint64_t rows[256];
};
/* Of the detectors that are on. */
void cw_tokens_init(struct cw_tokens *tokens, const bool on[CW_DETECT_N]);
/* What is at a place that the scan told, one of the *rows of its byte after another, each taken off. Nothing that begins ahead of its
 * detector's end is looked at. False: no more. */
bool cw_tokens_next(struct cw_str line, size_t at, const size_t ends[CW_DETECT_N], uint64_t *rows,
                    enum cw_detector *detector, struct cw_span *out);

/* At the first dash of "-----BEGIN ". */
bool cw_detect_private_key(struct cw_str line, size_t at, struct cw_span *out);
bool cw_redact_is_on(const struct cw_redact *redact, enum cw_detector detector);
/* As cw_redact_line(), where these spans are of a private key that was counted before. They have an order; the detector is on. */
struct cw_str cw_redact_around(struct cw_redact *redact, struct cw_str line,
                               const struct cw_span *spans, size_t nspans, bool counting,
                               struct cw_arena *arena, size_t *n_out);

/* ---- bytes ---- */

static inline bool cw_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool cw_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}
static inline bool cw_is_alnum(char c)
{
    return cw_is_digit(c) || (unsigned char)((c | 0x20) - 'a') < 26;
}
/* The byte at `at`; 0 outside of the line. */
static inline char cw_at(struct cw_str line, size_t at)
{
    return at < line.len ? line.ptr[at] : '\0';
}
static inline char cw_before(struct cw_str line, size_t at)
{
    return at > 0 ? line.ptr[at - 1] : '\0';
}
/* One of these texts, the last of which NULL follows. */
static inline bool cw_is_among(struct cw_str text, const char *const *texts)
{
    while (*texts != NULL && !cw_str_eqz(text, *texts))
        texts++;
    return *texts != NULL;
}
/* How long the escape of a URL there is, "%40" or "%2540", and the byte that it stands for; 0: there is none. */
static inline size_t cw_escape_at(struct cw_str line, size_t at, char *byte_out)
{
    size_t to = at + 1;
    if (cw_at(line, at) != '%')
        return 0;
    if (cw_at(line, to) == '2' && cw_at(line, to + 1) == '5')
        to += 2;
    int high = cw_str_hex_digit(cw_at(line, to)), low = cw_str_hex_digit(cw_at(line, to + 1));
    if (high < 0 || low < 0)
        return 0;
    *byte_out = (char)(high << 4 | low);
    return to + 2 - at;
}
/* How long the escape is that ends at `at`: "%3D" or "%253D" of a URL, "\n" or "\u003c" of JSON; 0: there is none. */
static inline size_t cw_escape_before(struct cw_str line, size_t at)
{
    char byte;
    for (size_t n = 3; n <= 5 && n <= at; n += 2) {
        if (cw_escape_at(line, at - n, &byte) == n)
            return n;
    }
    if (at >= 2 && line.ptr[at - 2] == '\\' && strchr("nrt", line.ptr[at - 1]) != NULL)
        return 2;
    return at >= 6 && line.ptr[at - 6] == '\\' && line.ptr[at - 5] == 'u' ? 6 : 0;
}
/* Whether a letter or digit stands ahead of `at` that is not an escape's last one. */
static inline bool cw_follows_word(struct cw_str line, size_t at)
{
    return cw_is_alnum(cw_before(line, at)) && cw_escape_before(line, at) == 0;
}

#endif

#include "common/net/http_message.h"

#include "common/base/assert.h"

/* Behind "http://" or "https://"; empty: another form. */
static struct cw_str behind_scheme(struct cw_str text)
{
    static const struct cw_str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < CW_COUNT(schemes); i++) {
        size_t n = schemes[i].len;
        if (text.len >= n && cw_str_eq_nocase(cw_str_sub(text, 0, n), schemes[i]))
            return cw_str_sub(text, n, text.len);
    }
    return CW_STR_NONE;
}

/* Where the authority ends. */
static size_t authority_len(struct cw_str text)
{
    size_t n = 0;
    while (n < text.len && text.ptr[n] != '/' && text.ptr[n] != '?')
        n++;
    return n;
}

int cw_http_target_parse(struct cw_str text, struct cw_http_target *out, struct cw_err *err)
{
    struct cw_str rest = behind_scheme(text);
    *out = (struct cw_http_target){.path = text};
    if (cw_str_find_byte(text, ' ') >= 0)
        return cw_err_set(err, CW_E_INVALID, "the request's target has a space");
    if (rest.ptr != NULL) {
        size_t n = authority_len(rest);
        if (n == 0 || rest.ptr[0] == ':')
            return cw_err_set(err, CW_E_INVALID, "the request's target has no host");
        if (cw_str_find_byte(cw_str_sub(rest, 0, n), '@') >= 0)
            return cw_err_set(err, CW_E_INVALID, "the request's target has a user before its host");
        out->authority = cw_str_sub(rest, 0, n);
        out->path = cw_str_sub(rest, n, rest.len);
    }
    ptrdiff_t mark = cw_str_find_byte(out->path, '?');
    if (mark >= 0) {
        out->query = cw_str_sub(out->path, (size_t)mark + 1, out->path.len);
        out->path = cw_str_sub(out->path, 0, (size_t)mark);
    }
    if (out->path.len == 0 && out->authority.len > 0)
        out->path = CW_STR("/");
    return 0;
}

int cw_http_codings_check(struct cw_str codings, struct cw_err *err)
{
    const struct cw_str chunked = CW_STR("chunked");
    struct cw_str rest = codings, coding, other = CW_STR_NONE;
    unsigned nchunked = 0;
    bool ends_chunked = false;
    if (cw_str_eq_nocase(codings, chunked))
        return 0;
    while (cw_str_split(&rest, ',', &coding)) {
        coding = cw_str_trim(coding);
        if (coding.len == 0)
            continue;
        ends_chunked = cw_str_eq_nocase(coding, chunked);
        nchunked += ends_chunked;
        if (!ends_chunked)
            other = coding;
    }
    if (!ends_chunked || nchunked > 1 || other.len == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "Transfer-Encoding: expected \"chunked\", once and last, got \"%.*s\"",
                          CW_STR_ARG(codings));
    return cw_err_set(
        err, CW_E_NOT_IMPLEMENTED,
        "Transfer-Encoding: this server takes \"chunked\" alone, not \"%.*s\"; what is "
        "packed is told by Content-Encoding",
        CW_STR_ARG(other));
}

int cw_http_framing_check(const struct cw_http_framing *framing, struct cw_err *err)
{
    if (framing->spaced_name)
        return cw_err_set(err, CW_E_INVALID,
                          "the name of a header has a space: expected the colon behind it");
    if (framing->ncodings > 0 && framing->nlengths > 0)
        return cw_err_set(
            err, CW_E_INVALID,
            "Content-Length \"%.*s\" and Transfer-Encoding \"%.*s\": expected one of them",
            CW_STR_ARG(framing->length), CW_STR_ARG(framing->codings));
    if (framing->ncodings > 0 && framing->is_1_0)
        return cw_err_set(err, CW_E_INVALID,
                          "Transfer-Encoding \"%.*s\": HTTP/1.0 has none, expected Content-Length",
                          CW_STR_ARG(framing->codings));
    if (framing->ncodings > 0)
        return cw_http_codings_check(framing->codings, err);
    if (framing->nlengths > 1 && !cw_str_eq(framing->length, framing->other_length))
        return cw_err_set(err, CW_E_INVALID,
                          "Content-Length: expected one, got \"%.*s\" and \"%.*s\"",
                          CW_STR_ARG(framing->length), CW_STR_ARG(framing->other_length));
    return 0;
}

int cw_http_hosts_check(const struct cw_http_framing *framing, struct cw_err *err)
{
    if (framing->nhosts > 1)
        return cw_err_set(err, CW_E_INVALID, "Host: expected one, got %u", framing->nhosts);
    if (framing->nhosts == 0 && !framing->is_1_0)
        return cw_err_set(err, CW_E_INVALID, "Host: HTTP/1.1 needs one, got none");
    return 0;
}

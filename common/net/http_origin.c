#include "common/net/http_origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* "localhost", "x.localhost", "127.1.2.3", "[::1]", each with or without a port. */
static bool names_this_machine(struct cw_str host)
{
    struct cw_str name = host;
    char text[INET6_ADDRSTRLEN];
    struct in_addr in;
    struct in6_addr in6;
    if (host.len > 0 && host.ptr[0] == '[') {
        ptrdiff_t end = cw_str_find_byte(host, ']');
        name = end < 0 ? CW_STR_NONE : cw_str_sub(host, 1, (size_t)end);
    } else {
        ptrdiff_t colon = cw_str_find_byte(host, ':');
        if (colon >= 0)
            name = cw_str_sub(host, 0, (size_t)colon);
    }
    if (cw_str_eq_nocase(name, CW_STR("localhost")))
        return true;
    if (name.len > 10 &&
        cw_str_eq_nocase(cw_str_sub(name, name.len - 10, name.len), CW_STR(".localhost")))
        return true;
    if (name.len == 0 || name.len >= sizeof text)
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    if (inet_pton(AF_INET, text, &in) == 1)
        return ntohl(in.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

static bool origin_names_this_machine(struct cw_str origin)
{
    ptrdiff_t scheme = cw_str_find(origin, CW_STR("://"));
    /* "null" comes from sandboxes and files: nobody knows whose they are. */
    return scheme >= 0 && names_this_machine(cw_str_sub(origin, (size_t)scheme + 3, origin.len));
}

bool cw_http_origin_allowed(const struct cw_http_origin *request)
{
    if (request->host.len > 0 && !names_this_machine(request->host))
        return false;
    if (request->origin.len > 0 && !origin_names_this_machine(request->origin))
        return false;
    if (cw_str_eqz(request->fetch_site, "cross-site"))
        return request->is_get && cw_str_eqz(request->fetch_mode, "navigate");
    return true;
}

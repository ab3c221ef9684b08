/*
 * kubeconfig.h - what a kubeconfig file (kubectl's) says of the API server of its current context, and of who we are to it.
 *
 * Paths in it are relative to its folder. Programs that make credentials (exec, auth-provider) are not run.
 *
 * Ownership  Everything lives in the arena.
 * Errors     CW_E_NOT_FOUND, CW_E_IO: the file. CW_E_INVALID: its text, with the place where one is at fault.
 */
#ifndef CW_SHIPPER_KUBECONFIG_H
#define CW_SHIPPER_KUBECONFIG_H
#include "shipper/http_access.h"

/* The rest of *access keeps its defaults. */
int cw_kubeconfig_read(const char *path, struct cw_arena *arena, struct cw_str *server_out,
                       struct cw_http_access *access_out, struct cw_err *err) CW_MUST_USE;

#endif

/*
 * pod_logs.h - pod_logs_configs: the log files of a Kubernetes node's pods, found by their folders:
 * <path>/<namespace>_<pod>_<uid>/<container>/<restart>.log. No API server is asked, so labels and annotations are not known.
 *
 * Labels: __meta_kubernetes_namespace, _pod_name, _pod_uid, _pod_container_name and __path__; without relabel_configs entries
 * get namespace, pod and container.
 */
#ifndef CW_SHIPPER_POD_LOGS_H
#define CW_SHIPPER_POD_LOGS_H
#include "shipper/discoveries.h"

extern const struct cw_discovery_def cw_pod_logs;

/* The parts of a pod's folder; false when it is none's. They borrow from the name. */
bool cw_pod_logs_folder(struct cw_str name, struct cw_str *namespace_out, struct cw_str *pod_out,
                        struct cw_str *uid_out);

#endif

// SPDX-License-Identifier: Apache-2.0
// Tells systemd how the service is (Type=notify, WatchdogSec=); silent where there is no systemd.
#ifndef XL_SERVER_SERVICE_NOTIFY_H
#define XL_SERVER_SERVICE_NOTIFY_H

void service_notify(const char *state); // "READY=1", "STOPPING=1", "STATUS=…"
// Called often; says WATCHDOG=1 twice an interval if the unit asks for it.
void service_notify_alive(double now_s);

#endif

#ifndef PRBAL_SERVICES_COMMANDS_SYSTEMD_H
#define PRBAL_SERVICES_COMMANDS_SYSTEMD_H

/* Tells systemd how we are, with Type=notify (sd_notify(3)): "READY=1",
 * "STOPPING=1".  The text may have several lines.  Nothing happens without
 * NOTIFY_SOCKET. */
void systemd_notify(const char *text);

#endif

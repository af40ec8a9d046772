#ifndef PRBAL_RPC_FORMATS_H
#define PRBAL_RPC_FORMATS_H

#include "rpc/rules.h"

#include <stdbool.h>
#include <stddef.h>

/* The well-known formats of buf.validate, in time linear in the text. */

/* Of ASCII, whatever the process's locale. */
static inline bool is_ascii_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

/* True when the value has the format; and its name in a sentence ("an e-mail
 * address"). */
bool format_matches(enum rule_format format, const char *text, size_t size);
const char *format_name(enum rule_format format);

/* The grammars behind them.  An IP version is 4, 6, or 0 for both. */
bool format_is_ip(const char *text, size_t size, int version);

/* "10.1.2.3/8"; strictly only with nothing behind the prefix. */
bool format_is_ip_prefix(const char *text, size_t size, int version,
                         bool strict);
bool format_is_hostname(const char *text, size_t size);
bool format_is_host_and_port(const char *text, size_t size, bool port_required);
bool format_is_email(const char *text, size_t size);

/* RFC 3986: with a scheme, or a URI or relative reference. */
bool format_is_uri(const char *text, size_t size);
bool format_is_uri_reference(const char *text, size_t size);

#endif

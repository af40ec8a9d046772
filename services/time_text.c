#include "services/time_text.h"

#include <time.h>

char *time_text(struct arena *arena, const Google__Protobuf__Timestamp *time)
{
    time_t seconds = (time_t)time->seconds;
    struct tm utc;
    char text[40];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return arena_strdup(arena, text);
}

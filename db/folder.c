#include "db/folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 1024 };

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool folder_make(const char *path, char *error, size_t error_size)
{
    char part[PATH_BYTES];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
        snprintf(error, error_size, "The path of the data folder is too long.");
        return false;
    }
    for (char *slash = part; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(part, 0711) != 0 && errno != EEXIST) {
            snprintf(error, error_size, "The folder %s cannot be made: %s.",
                     part, strerror(errno));
            return false;
        }
        if (slash != NULL)
            *slash = '/';
    }
    if (is_folder(path))
        return true;
    snprintf(error, error_size, "The data folder %s is not a folder.", path);
    return false;
}

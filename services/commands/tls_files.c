#include "services/commands/tls_files.h"

#include "services/app.h"
#include "services/certificate.h"

#include <stdio.h>
#include <sys/stat.h>

static bool is_clear_text(void)
{
    return app_config()->listen_mode == LISTEN_MODE_H2C;
}

bool tls_files_find(struct tls_files *files, char *error, size_t error_size)
{
    const struct app_config *config = app_config();
    if (is_clear_text())
        return true;
    snprintf(files->certificate, sizeof files->certificate, "%s",
             config->tls_cert);
    snprintf(files->key, sizeof files->key, "%s", config->tls_key);
    if (*config->tls_cert != '\0')
        return true;

    char folder[TLS_PATH_BYTES - 16];
    snprintf(folder, sizeof folder, "%s/tls", app_data_folder());
    snprintf(files->certificate, sizeof files->certificate, "%s/cert.pem",
             folder);
    snprintf(files->key, sizeof files->key, "%s/key.pem", folder);
    return certificate_ensure(folder, error, error_size);
}

static int64_t file_changed_us(const char *path)
{
    struct stat file;
    if (*path == '\0' || stat(path, &file) != 0)
        return 0;
    return (int64_t)file.st_mtim.tv_sec * 1000000 + file.st_mtim.tv_nsec / 1000;
}

/* A number that a renewal of any of them changes. */
static int64_t changed_us(const struct tls_files *files)
{
    const struct app_config *config = app_config();
    return file_changed_us(files->certificate) + file_changed_us(files->key) +
           file_changed_us(config->tls_client_ca) +
           file_changed_us(config->tls_client_crl);
}

bool tls_files_use(struct tls_files *files, struct rpc_server *server,
                   char *error, size_t error_size)
{
    if (is_clear_text())
        return true;
    files->changed_us = changed_us(files);
    return rpc_server_use_tls(server, files->certificate, files->key, error,
                              error_size);
}

bool tls_files_have_changed(const struct tls_files *files)
{
    return !is_clear_text() && changed_us(files) != files->changed_us;
}

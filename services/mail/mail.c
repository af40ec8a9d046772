#include "services/mail/mail.h"

#include "services/app.h"
#include "services/jobs/handlers.h"
#include "services/mail/mail_row.rpc.h"

static const struct mail_adapter *adapter(void)
{
    switch (app_config()->mail) {
    case MAIL_OUTBOX:
    default:
        return &mail_outbox;
    }
}

rpc_status mail_deliver(struct rpc_call *call, struct job_run *run)
{
    const MailLetter *letter = run->arguments;
    const struct mail mail = {letter->to, letter->subject, letter->text};
    return adapter()->send(call, run->job_id, &mail);
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

void mail_send(struct db *tx, const struct mail *mail)
{
    if (!is_printable(mail->to) || !is_printable(mail->subject))
        return;
    MailLetter letter = MAIL_LETTER_INIT;
    letter.to = mail->to;
    letter.subject = mail->subject;
    letter.text = mail->text;
    job_enqueue(
        tx, &(struct job){.kind = JOB_MAIL_DELIVER, .arguments = &letter.base});
}

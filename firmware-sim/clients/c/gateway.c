/* A gateway of Vigil in C11 and POSIX sockets: birth, readings, an alarm, receipts, commands.
 *
 *   cc -std=c11 -Wall -Wextra -Werror -O2 -o gateway gateway.c
 *   gateway HOST PORT GATEWAY STATE_FILE [USER PASSWORD]
 *
 * Standard input: "reading 12.5", "alarm on", "alarm off", a line each; at its end the program
 * waits for the last receipt, says goodbye and ends. What the contract asks is in docs/firmware.md.
 * All memory is static. A message is on the disk before it is sent, and leaves it with its receipt.
 */
#define _DEFAULT_SOURCE /* POSIX of 2008, and Linux's word on its clock */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/timex.h>
#endif

enum {
    ALARM, EVENT, OBSERVATION, LANES,
    KEPT = 64,            /* messages that wait for a receipt */
    FOR_READINGS = 48,    /* of these; the rest is for alarms and answers */
    BYTES = 1024,         /* of a message */
    DONE = 16,            /* commands that are remembered */
    KEEPALIVE_S = 20, FIRST_S = 5, LAST_S = 60,
};
static const char *const LANE[LANES] = {"alarm", "event", "observation"};
static const char *const PROBE = "probe-1", *const SMOKE = "alarm-1";

struct kept { int lane, length; uint64_t number; char payload[BYTES]; };
struct done { char id[65]; bool accepted; };
/* An alarm that got no number yet (until: over), behind the end of the one before it. */
struct owed { char id[33], since[32], until[32], ended[33], ended_at[32]; };

static struct {
    char epoch[17], alarm_id[33];
    uint64_t session, next[LANES];
    int waiting, answered;
    struct kept kept[KEPT];
    struct done done[DONE];
    struct owed owed;
} state;

static const char *gateway, *file;
static int connection = -1;
static bool ready;                        /* subscribed and born: messages may go out */
static time_t subscribing;                /* since when the answer to SUBSCRIBE is waited for */
static unsigned char packet[2 * BYTES], incoming[16384];
static size_t arrived, skip;              /* bytes in `incoming`, and of what is too large for it */
static uint16_t packet_id;
static time_t last_sent, last_heard, resend_at;
static int patience = FIRST_S;
static volatile sig_atomic_t stopping;

static void stop(int number) { (void)number; stopping = 1; }

static time_t seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void random_hex(char *text, size_t bytes) {
    unsigned char drawn[16];
    FILE *source = fopen("/dev/urandom", "rb");
    if (!source || fread(drawn, 1, bytes, source) != bytes) { perror("/dev/urandom"); exit(2); }
    fclose(source);
    for (size_t i = 0; i < bytes; i++) sprintf(text + 2 * i, "%02x", drawn[i]);
}

static struct timespec wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

static void time_text(char *text, size_t size) { /* RFC 3339, UTC, milliseconds */
    struct timespec now = wall();
    struct tm utc;
    char whole[24];
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    snprintf(text, size, "%s.%03dZ", whole, (int)(now.tv_nsec / 1000000));
}

/* What is known of the clock, and no more: the kernel says whether something keeps it; one that was
 * kept and is no more goes on by itself. Where nobody can be asked nothing is known, unless whoever
 * set the box up vouches for it: GATEWAY_CLOCK=kept (a container whose host keeps the clock). */
static const char *clock_quality(void) {
    const char *word = getenv("GATEWAY_CLOCK");
    if (word && strcmp(word, "kept") == 0) return "synchronised";
#ifdef __linux__
    static bool was_kept;
    static time_t kept_at;
    struct timex asked = {0};
    int said = adjtimex(&asked);
    if (said >= 0 && said != TIME_ERROR && !(asked.status & STA_UNSYNC)
        && asked.maxerror <= 1000000) {
        was_kept = true;
        kept_at = seconds();
        return "synchronised";
    }
    if (was_kept && seconds() - kept_at <= 86400) return "holdover";
#endif
    return "unsynchronised";
}

/* -- what is kept ---------------------------------------------------------------------------- */

/* The whole state in a new file, then in place of the old one, then the folder's entry: a number
 * that was sent may never be forgotten, or it would be used again. */
static void save(void) {
    static char name[4096];
    snprintf(name, sizeof name, "%s.new", file);
    FILE *out = fopen(name, "wb");
    bool good = out && fwrite(&state, sizeof state, 1, out) == 1 && fputs("whole\n", out) >= 0
        && fflush(out) == 0 && fsync(fileno(out)) == 0;
    if (out && fclose(out) != 0) good = false;
    if (!good || rename(name, file) != 0) { perror(file); exit(2); }
    char *slash = strrchr(strcpy(name, file), '/');
    if (slash) slash[slash == name] = 0; else strcpy(name, ".");
    int folder = open(name, O_RDONLY);
    if (folder >= 0) { fsync(folder); close(folder); }
}

/* As it was left; a file that is not there or not whole is a new epoch, and so are new numbers. */
static void load(void) {
    char end[7] = "";
    FILE *in = fopen(file, "rb");
    bool whole = in && fread(&state, sizeof state, 1, in) == 1 && fread(end, 1, 6, in) == 6
        && strcmp(end, "whole\n") == 0;
    if (in) fclose(in);
    if (whole) return;
    memset(&state, 0, sizeof state);
    random_hex(state.epoch, 8);
    for (int lane = 0; lane < LANES; lane++) state.next[lane] = 1;
    save();
}

/* -- MQTT 3.1.1 ------------------------------------------------------------------------------ */

static void lost(const char *why) {
    fprintf(stderr, "gateway: connection lost: %s\n", why);
    close(connection);
    connection = -1;
    ready = false;
    arrived = skip = 0;
}

static bool write_all(const unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(connection, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) { lost(strerror(errno)); return false; }
        bytes += sent;
        size -= (size_t)sent;
    }
    last_sent = seconds();
    return true;
}

static size_t text_at(size_t at, const char *text, size_t size) {
    packet[at] = (unsigned char)(size >> 8);
    packet[at + 1] = (unsigned char)size;
    memcpy(packet + at + 2, text, size);
    return at + 2 + size;
}

/* The body lies in `packet` from 5 on: its head is put before it. */
static bool send_packet(unsigned char type, size_t end) {
    size_t length = end - 5, digits = length < 128 ? 1 : length < 16384 ? 2 : 3;
    size_t at = 5 - digits;
    for (size_t i = at; i < 5; i++, length >>= 7)
        packet[i] = (unsigned char)((length & 127) | (i < 4 ? 128 : 0));
    packet[--at] = type;
    return write_all(packet + at, end - at);
}

static bool publish(const char *channel, const char *payload, size_t size, bool retain) {
    char topic[128];
    snprintf(topic, sizeof topic, "vigil/v1/%s/%s", gateway, channel);
    size_t at = text_at(5, topic, strlen(topic));
    if (!++packet_id) packet_id = 1;
    packet[at] = (unsigned char)(packet_id >> 8);
    packet[at + 1] = (unsigned char)packet_id;
    memcpy(packet + at + 2, payload, size);
    return send_packet(retain ? 0x33 : 0x32, at + 2 + size);
}

/* -- messages -------------------------------------------------------------------------------- */

/* An event in its envelope; number 0: on status, which has none. Returns its length. */
static int compose(char *out, const char *channel, const char *type, const char *subject,
                   uint64_t number, const char *data) {
    char id[33], now[32], sequence[40] = "";
    random_hex(id, 16);
    time_text(now, sizeof now);
    if (number) snprintf(sequence, sizeof sequence, "\"sequence\":\"%016" PRIu64 "\",", number);
    int length = snprintf(out, BYTES,
        "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/%s/%s/%s\",\"type\":\"%s\","
        "\"subject\":\"%s\",\"time\":\"%s\",%s\"clockquality\":\"%s\","
        "\"datacontenttype\":\"application/json\","
        "\"dataschema\":\"https://vigil.example/schemas/%s.json\",\"data\":%s}",
        id, gateway, channel, state.epoch, type, subject, now, sequence, clock_quality(), type, data);
    if (length >= BYTES) { fprintf(stderr, "gateway: a message is too long\n"); exit(2); }
    return length;
}

static bool send_kept(const struct kept *one) {
    return publish(LANE[one->lane], one->payload, (size_t)one->length, false);
}

/* The oldest reading makes room for an alarm, else the oldest answer: whoever asked asks again.
 * False where there is none. */
static bool give_up(void) {
    for (int lane = OBSERVATION; lane > ALARM; lane--)
        for (int i = 0; i < state.waiting; i++) {
            if (state.kept[i].lane != lane) continue;
            fprintf(stderr, "gateway: full, given up for an alarm: %s %" PRIu64 "\n",
                    LANE[lane], state.kept[i].number);
            memmove(&state.kept[i], &state.kept[i + 1],
                    (size_t)(state.waiting - i - 1) * sizeof state.kept[0]);
            state.waiting--;
            return true;
        }
    return false;
}

/* Number it, keep it, send it. False where there is no room: it has got no number. */
static bool tell(int lane, const char *type, const char *subject, const char *data) {
    bool full = state.waiting >= (lane == OBSERVATION ? FOR_READINGS : KEPT);
    if (full && !(lane == ALARM && give_up())) {
        fprintf(stderr, "gateway: full, not kept: %s\n", type);
        return false;
    }
    struct kept *one = &state.kept[state.waiting++];
    one->lane = lane;
    one->number = state.next[lane]++;
    one->length = compose(one->payload, LANE[lane], type, subject, one->number, data);
    save();
    if (!resend_at) resend_at = seconds() + patience;
    if (ready) send_kept(one);
    return true;
}

static bool tell_alarm(const char *id, bool active, const char *since) {
    char data[300];
    snprintf(data, sizeof data, "{\"alarm_id\":\"%s\",\"condition\":\"smoke\",\"active\":%s,"
             "\"since\":\"%s\"}", id, active ? "true" : "false", since);
    return tell(ALARM, "city.vigil.smoke.alarm.v2", SMOKE, data);
}

/* Everything that waits is an alarm: this one is not refused but owed. One is enough, behind the end
 * of the one before it: it rings since the first that is owed, and is over if the last says so. What
 * follows is told under its name. */
static void owe(bool active, const char *since) {
    struct owed *owed = &state.owed;
    if (!*owed->id) strcpy(owed->id, state.alarm_id);
    if (active && !*owed->since) {
        if (*owed->until) {
            strcpy(owed->ended, owed->id);
            strcpy(owed->ended_at, owed->until);
        }
        strcpy(owed->id, state.alarm_id);
        strcpy(owed->since, since);
    }
    if (active) *owed->until = 0; else strcpy(owed->until, since);
    memcpy(state.alarm_id, owed->id, sizeof state.alarm_id);
    fprintf(stderr, "gateway: full of alarms: this one is told as soon as one is receipted\n");
    save();
}

/* Also while something is owed before it: what was first is told first. */
static void alarm_changed(bool active) {
    char now[32];
    time_text(now, sizeof now);
    if (active || !*state.alarm_id) random_hex(state.alarm_id, 16);
    if (*state.owed.id || !tell_alarm(state.alarm_id, active, now)) owe(active, now);
}

static void tell_owed(void) {
    if (*state.owed.ended) {
        if (!tell_alarm(state.owed.ended, false, state.owed.ended_at)) return;
        *state.owed.ended = 0;
        save();
    }
    if (*state.owed.since && tell_alarm(state.owed.id, true, state.owed.since)) {
        *state.owed.since = 0;
        if (!*state.owed.until) *state.owed.id = 0;
        save();
    }
    if (!*state.owed.since && *state.owed.until
        && tell_alarm(state.owed.id, false, state.owed.until)) {
        memset(&state.owed, 0, sizeof state.owed);
        save();
    }
}

static bool status(const char *type, const char *format, ...) {
    static char data[BYTES], payload[BYTES];
    va_list values;
    va_start(values, format);
    vsnprintf(data, sizeof data, format, values);
    va_end(values);
    int length = compose(payload, "status", type, gateway, 0, data);
    return publish("status", payload, (size_t)length, true);
}

static bool birth(void) {
    static char started[32];
    if (!*started) time_text(started, sizeof started);
    return status("city.vigil.gateway.birth.v1",
        "{\"session\":%" PRIu64 ",\"started\":\"%s\",\"software\":\"clients/c\",\"epoch\":\"%s\","
        "\"public_key\":\"%064d\",\"devices\":["
        "{\"device\":\"%s\",\"domain\":\"water\",\"driver\":\"bench\",\"parameters\":"
        "[\"temperature\"]},{\"device\":\"%s\",\"domain\":\"smoke\",\"driver\":\"bench\"}]}",
        state.session, started, state.epoch, 0, PROBE, SMOKE);
}

static void send_again(void) { /* alarms first */
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < state.waiting && ready; i++)
            if (state.kept[i].lane == lane) send_kept(&state.kept[i]);
}

/* -- what comes down ------------------------------------------------------------------------- */

/* The value behind a key, from `json` on; NULL where there is none. */
static const char *value_of(const char *json, const char *key) {
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = json ? strstr(json, quoted) : NULL;
    if (!at) return NULL;
    for (at += strlen(quoted); *at == ' ' || *at == ':'; at++) {}
    return at;
}

static bool text_of(const char *json, const char *key, char *text, size_t size) {
    const char *at = value_of(json, key);
    size_t length = at && *at == '"' ? strcspn(at + 1, "\"\\") : 0;
    if (!length || length >= size || at[1 + length] != '"') return false;
    memcpy(text, at + 1, length);
    text[length] = 0;
    return true;
}

static bool covers(const char *data, uint64_t number) {
    const char *stored = value_of(data, "stored"), *at = value_of(data, "beyond");
    if (stored && number <= strtoull(stored, NULL, 10)) return true;
    while (at && (at = strpbrk(at, "[]0123456789")) && *at != ']') {
        if (*at == '[') { at++; continue; }
        char *end;
        uint64_t first = strtoull(at, &end, 10);
        uint64_t last = strtoull(end + strspn(end, ", "), &end, 10);
        if (first <= number && number <= last) return true;
        at = end + strcspn(end, "]") + 1;
    }
    return false;
}

static void receipt(const char *data) {
    char source[200], own[200];
    int kept = 0;
    if (!text_of(data, "source", source, sizeof source)) return;
    for (int i = 0; i < state.waiting; i++) {
        const struct kept *one = &state.kept[i];
        snprintf(own, sizeof own, "/%s/%s/%s", gateway, LANE[one->lane], state.epoch);
        if (strcmp(own, source) != 0 || !covers(data, one->number)) state.kept[kept++] = *one;
    }
    if (kept == state.waiting) return;
    state.waiting = kept;
    save();
    patience = FIRST_S;
    resend_at = kept ? seconds() + patience : 0;
    tell_owed();
}

static void answer(const struct done *command) {
    char data[256];
    snprintf(data, sizeof data, "{\"command_id\":\"%s\",\"accepted\":%s,\"code\":\"%s\"}",
             command->id, command->accepted ? "true" : "false",
             command->accepted ? "ok" : "unsupported");
    tell(EVENT, "city.vigil.command.result.v1", gateway, data);
}

static void command(const char *data) { /* each is done once, and its repetitions are answered */
    struct done asked;
    char action[48];
    if (!text_of(data, "command_id", asked.id, sizeof asked.id)
        || !text_of(data, "action", action, sizeof action)) return;
    for (int i = 0; i < DONE; i++)
        if (strcmp(state.done[i].id, asked.id) == 0) { answer(&state.done[i]); return; }
    asked.accepted = strcmp(action, "resend_birth") == 0;
    if (asked.accepted && !birth()) return;
    state.done[state.answered++ % DONE] = asked;
    answer(&asked);
}

/* Each topic of SUBSCRIBE has a code of its own, in their order: without receipts nothing would ever
 * leave the store, without commands nobody could ask for anything. Only then the birth: what it calls
 * for finds somebody who listens. */
static void subscribed(const unsigned char *body, size_t size) {
    if (ready || size < 2 || body[0] || body[1] != 1) return; /* of no SUBSCRIBE of ours */
    for (size_t i = 0; i < 2; i++)
        if (size < 4 || body[2 + i] >= 0x80) {
            fprintf(stderr, "gateway: refused by the broker: %s\n", i ? "commands" : "receipts");
            lost("no subscription");
            return;
        }
    ready = true;
    if (!birth()) return;
    patience = FIRST_S;
    resend_at = state.waiting ? seconds() + patience : 0;
    tell_owed();
    send_again();
}

/* One whole packet, its body behind `at`. Messages may come before SUBACK (MQTT 3.1.1, 3.8.4). */
static void packet_in(unsigned char first, unsigned char *body, size_t size) {
    if (first == 0x90) { subscribed(body, size); return; }
    if ((first & 0xf0) != 0x30 || size < 4) return; /* PUBACK, PINGRESP */
    size_t name = (size_t)(body[0] << 8 | body[1]), at = 2 + name;
    if ((first & 6) && at + 2 <= size) {
        unsigned char ack[4] = {0x40, 2, body[at], body[at + 1]};
        if (!write_all(ack, sizeof ack)) return;
        at += 2;
    }
    if (at > size) return;
    unsigned char after = body[size];
    body[size] = 0;
    const char *data = value_of((char *)body + at, "data");
    if (name > 8 && memcmp(body + 2 + name - 8, "/receipt", 8) == 0) receipt(data);
    if (name > 8 && memcmp(body + 2 + name - 8, "/command", 8) == 0) command(data);
    body[size] = after;
}

static void receive(void) {
    if (skip) { arrived = 0; }
    ssize_t got = recv(connection, incoming + arrived, sizeof incoming - 1 - arrived, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) { lost(got ? strerror(errno) : "closed by the broker"); return; }
    last_heard = seconds();
    arrived += (size_t)got;
    size_t start = skip < arrived ? skip : arrived;
    skip -= start;
    while (connection >= 0 && arrived - start >= 2) {
        size_t at = start + 1, size = 0;
        int shift = 0;
        while (at < arrived && shift < 28) {
            size |= (size_t)(incoming[at] & 127) << shift;
            shift += 7;
            if (!(incoming[at++] & 128)) break;
            if (at == arrived) goto rest;
        }
        if (size > sizeof incoming - 8) { /* nothing of ours is so large */
            skip = size - (arrived - at < size ? arrived - at : size);
            start = arrived - at < size ? arrived : at + size;
            continue;
        }
        if (arrived - at < size) break;
        packet_in(incoming[start], incoming + at, size);
        start = at + size;
    }
rest:
    if (connection < 0) return;
    memmove(incoming, incoming + start, arrived - start);
    arrived -= start;
}

/* -- a connection from its begin to its end --------------------------------------------------- */

static bool welcome(void) { /* CONNACK, which comes first, with a good code */
    unsigned char got[4];
    for (size_t have = 0; have < sizeof got;) {
        ssize_t more = recv(connection, got + have, sizeof got - have, 0);
        if (more <= 0) return false;
        have += (size_t)more;
    }
    return got[0] == 0x20 && got[1] == 2 && got[3] == 0;
}

static int dial(const char *host, const char *port) {
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found, *one;
    if (getaddrinfo(host, port, &wanted, &found) != 0) return -1;
    int made = -1;
    for (one = found; one && made < 0; one = one->ai_next) {
        made = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        struct timeval limit = {.tv_sec = 10};
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (made >= 0 && connect(made, one->ai_addr, one->ai_addrlen) != 0) { close(made); made = -1; }
    }
    freeaddrinfo(found);
    return made;
}

static const char *begin(const char *host, const char *port, const char *user, const char *word) {
    static char will[BYTES], data[64], topic[128];
    if ((connection = dial(host, port)) < 0) return "not reached";
    state.session++;
    save();
    snprintf(data, sizeof data, "{\"session\":%" PRIu64 ",\"clean\":false}", state.session);
    int length = compose(will, "status", "city.vigil.gateway.death.v1", gateway, 0, data);
    size_t at = text_at(5, "MQTT", 4);
    packet[at++] = 4;
    packet[at++] = (unsigned char)(0x2e | (user ? 0xc0 : 0)); /* clean; will: retained, QoS 1 */
    packet[at++] = 0;
    packet[at++] = KEEPALIVE_S;
    snprintf(topic, sizeof topic, "vigil/v1/%s/status", gateway);
    at = text_at(text_at(at, gateway, strlen(gateway)), topic, strlen(topic));
    at = text_at(at, will, (size_t)length);
    if (user) at = text_at(text_at(at, user, strlen(user)), word, strlen(word));
    if (!send_packet(0x10, at)) return "not sent";
    if (!welcome()) return "refused by the broker";
    last_heard = seconds();
    packet[5] = 0, packet[6] = 1, at = 7;
    for (int i = 0; i < 2; i++) {
        snprintf(topic, sizeof topic, "vigil/v1/%s/%s", gateway, i ? "command" : "receipt");
        at = text_at(at, topic, strlen(topic));
        packet[at++] = 1;
    }
    subscribing = seconds();
    return send_packet(0x82, at) ? NULL : "not sent";
}

static void line_in(const char *line) {
    char data[300];
    double value;
    if (sscanf(line, "reading %lf", &value) == 1 && value == value && value * 0 == 0) {
        struct timespec now = wall();
        snprintf(data, sizeof data,
                 "[{\"bn\":\"urn:vigil:%s:\",\"bt\":%lld.%03d,\"n\":\"temperature\","
                 "\"u\":\"Cel\",\"v\":%.6g,\"qf\":1}]", PROBE, (long long)now.tv_sec,
                 (int)(now.tv_nsec / 1000000), value);
        tell(OBSERVATION, "city.vigil.water.observation.v1", PROBE, data);
    } else if (strcmp(line, "alarm on") == 0 || strcmp(line, "alarm off") == 0) {
        alarm_changed(line[7] == 'n');
    } else if (*line) {
        fprintf(stderr, "gateway: give reading NUMBER, alarm on or alarm off\n");
    }
}

/* True at the end of standard input. */
static bool lines_in(void) {
    static char line[200];
    static size_t length;
    char got[200];
    ssize_t size = read(STDIN_FILENO, got, sizeof got);
    if (size < 0 && errno == EINTR) return false;
    for (ssize_t i = 0; i < size; i++) {
        if (got[i] == '\n') { line[length] = 0; length = 0; line_in(line); }
        else if (length < sizeof line - 1) line[length++] = got[i];
    }
    return size <= 0;
}

int main(int count, char **values) {
    if (count != 5 && count != 7) {
        fprintf(stderr, "usage: gateway HOST PORT GATEWAY STATE_FILE [USER PASSWORD]\n");
        return 2;
    }
    if (strlen(values[3]) > 63 || strlen(values[4]) > 4000) {
        fprintf(stderr, "gateway: an id has at most 63 characters\n");
        return 2;
    }
    gateway = values[3], file = values[4];
    struct sigaction act = {.sa_handler = stop};
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    load();
    time_t retry = 0, pause = 1;
    bool ended = false;
    while (!stopping && !(ended && !state.waiting && !*state.owed.id && ready)) {
        if (connection < 0 && seconds() >= retry) {
            const char *why = begin(values[1], values[2], count == 7 ? values[5] : NULL,
                                    count == 7 ? values[6] : NULL);
            if (why && connection >= 0) lost(why);
            pause = why ? (pause < 30 ? 2 * pause : 30) : 1;
            retry = seconds() + pause;
        }
        struct pollfd on[2] = {{ended ? -1 : STDIN_FILENO, POLLIN, 0}, {connection, POLLIN, 0}};
        if (poll(on, 2, 500) > 0) {
            if (on[0].revents) ended = lines_in();
            if (connection >= 0 && on[1].revents) receive();
        }
        if (connection >= 0 && !ready && seconds() - subscribing >= 10) lost("no subscription");
        if (ready && resend_at && seconds() >= resend_at) {
            patience = 2 * patience < LAST_S ? 2 * patience : LAST_S;
            resend_at = seconds() + patience;
            send_again();
        }
        static const unsigned char ping[2] = {0xc0, 0};
        if (connection >= 0 && seconds() - last_sent >= KEEPALIVE_S / 2) write_all(ping, 2);
        if (connection >= 0 && seconds() - last_heard >= 2 * KEEPALIVE_S) lost("the broker is silent");
    }
    if (ready) {
        static const unsigned char goodbye[2] = {0xe0, 0};
        if (status("city.vigil.gateway.death.v1", "{\"session\":%" PRIu64 ",\"clean\":true}",
                   state.session)) write_all(goodbye, 2);
    }
    return 0;
}

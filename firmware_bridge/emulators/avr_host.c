/* Runs an Arduino Uno's program in simavr at the pace of real time, its serial port on a pty.
 *
 *     avr_host PROGRAM.elf        prints the pty's name, then runs until it is killed
 */
#define _XOPEN_SOURCE 600
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_time.h>

#define CLOCK_HZ 16000000
#define STEP_US 1000

static int port;
static avr_irq_t *receive;
static bool receive_full;

static int open_port(void)
{
    struct termios settings;
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || tcgetattr(fd, &settings) != 0) {
        perror("pty");
        exit(1);
    }
    cfmakeraw(&settings);
    tcsetattr(fd, TCSANOW, &settings);
    /* Opened and closed once, so that nobody being there shows as a hang-up from the start. */
    close(open(ptsname(fd), O_RDWR | O_NOCTTY));
    return fd;
}

static bool somebody_listens(void)
{
    struct pollfd state = {port, POLLIN, 0};

    poll(&state, 1, 0);
    return (state.revents & POLLHUP) == 0;
}

static void on_sent(avr_irq_t *irq, uint32_t byte, void *unused)
{
    uint8_t sent = (uint8_t)byte;

    (void)irq;
    (void)unused;
    /* Bytes that nobody reads are lost, as on a real wire. */
    if (somebody_listens() && write(port, &sent, 1) != 1) {
        return;
    }
}

static void on_receive_full(avr_irq_t *irq, uint32_t value, void *full)
{
    (void)irq;
    (void)value;
    receive_full = full != NULL;
}

static void receive_bytes(void)
{
    uint8_t byte;

    while (!receive_full && somebody_listens() && read(port, &byte, 1) == 1) {
        avr_raise_irq(receive, byte);
    }
}

/* Called every STEP_US of the program's own time: waits until the real time has come. */
static avr_cycle_count_t keep_pace(avr_t *avr, avr_cycle_count_t when, void *unused)
{
    static struct timespec due;
    struct timespec now;
    const avr_cycle_count_t step = avr_usec_to_cycles(avr, STEP_US);

    (void)unused;
    receive_bytes();
    clock_gettime(CLOCK_MONOTONIC, &now);
    due.tv_nsec += STEP_US * 1000L;
    if (due.tv_nsec >= 1000000000L) {
        due.tv_nsec -= 1000000000L;
        ++due.tv_sec;
    }
    if (now.tv_sec > due.tv_sec + 1) {
        due = now; /* far behind (just started, or the machine slept): begin anew from here */
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    return when + step;
}

int main(int arguments, char **argument)
{
    elf_firmware_t firmware;
    avr_t *avr;
    uint32_t flags = 0;
    int state;

    if (arguments != 2) {
        fprintf(stderr, "usage: avr_host PROGRAM.elf\n");
        return 2;
    }
    memset(&firmware, 0, sizeof firmware);
    if (elf_read_firmware(argument[1], &firmware) != 0) {
        fprintf(stderr, "%s: not an AVR program\n", argument[1]);
        return 1;
    }
    avr = avr_make_mcu_by_name("atmega328p");
    if (avr == NULL) {
        fprintf(stderr, "this simavr does not know the atmega328p\n");
        return 1;
    }
    avr_init(avr);
    firmware.frequency = CLOCK_HZ;
    avr_load_firmware(avr, &firmware);
    avr->frequency = CLOCK_HZ;
    avr->log = LOG_ERROR;

    port = open_port();
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    receive = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT),
                            on_sent, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF),
                            on_receive_full, &receive_full);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON),
                            on_receive_full, NULL);
    avr_cycle_timer_register_usec(avr, STEP_US, keep_pace, NULL);
    printf("%s\n", ptsname(port));
    fflush(stdout);
    do {
        state = avr_run(avr);
    } while (state != cpu_Done && state != cpu_Crashed);
    return state == cpu_Crashed;
}

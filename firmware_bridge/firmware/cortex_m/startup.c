/* What happens before main: the vector table, and memory as C expects it. */
#include <stdint.h>

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
void stack_top(void); /* an address, not a function; vectors are of this type */

int main(void);
void reset(void);
void systick_interrupt(void);
void uart_receive_interrupt(void);
void uart_transmit_interrupt(void);

void stop_here(void)
{
    for (;;) {
    }
}

void systick_interrupt(void) __attribute__((weak, alias("stop_here")));
void uart_receive_interrupt(void) __attribute__((weak, alias("stop_here")));
void uart_transmit_interrupt(void) __attribute__((weak, alias("stop_here")));

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[] = {
    stack_top,
    reset,
    [2] = stop_here, /* non-maskable interrupt, and the faults after it */
    [3] = stop_here,
    [4] = stop_here,
    [5] = stop_here,
    [6] = stop_here,
    [15] = systick_interrupt,
    [16] = uart_receive_interrupt,
    [17] = uart_transmit_interrupt,
};

void reset(void)
{
    uint32_t *from = data_load;
    uint32_t *to;
    for (to = data_start; to != data_end;) {
        *to++ = *from++;
    }
    for (to = bss_start; to != bss_end;) {
        *to++ = 0;
    }
    /* Let the compiler use the floating-point unit (full access to coprocessors 10 and 11). */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile("dsb\n isb");
    main();
    stop_here();
}

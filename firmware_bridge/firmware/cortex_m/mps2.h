/* The few registers of an Arm MPS2 (AN386) that the programs here touch. */
#ifndef MPS2_H
#define MPS2_H

#include <stdint.h>

#define CLOCK_HZ 25000000u

struct uart { /* CMSDK APB UART; its receive interrupt is 0, its transmit interrupt 1 */
    volatile uint32_t data;
    volatile uint32_t state;
    volatile uint32_t control;
    volatile uint32_t interrupts; /* write ones to clear */
    volatile uint32_t divider;    /* clock ticks per bit */
};
#define UART0 ((struct uart *)0x40004000u)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u
#define UART_TX_ENABLE 1u
#define UART_RX_ENABLE 2u
#define UART_TX_INTERRUPT 4u
#define UART_RX_INTERRUPT 8u

struct systick {
    volatile uint32_t control;
    volatile uint32_t reload;
    volatile uint32_t value;
};
#define SYSTICK ((struct systick *)0xE000E010u)
#define SYSTICK_COUNT_CLOCK 5u
#define SYSTICK_INTERRUPT 2u

#define NVIC_ENABLE (*(volatile uint32_t *)0xE000E100u)
#define LEDS (*(volatile uint32_t *)0x40028000u) /* bit 0: the first user LED */

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-boot DOMID KIB VMLINUX INITRD CMDLINE: start a Linux in an HVM domain of
 * KIB of RAM, whose boot sector waits for it (boot-counter --wait): read
 * through a BIOS it would take minutes here.  Goes by "64-bit boot protocol",
 * Documentation/arch/x86/boot.rst.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#define PAGE    4096U
#define WAIT    0x8000U /* the boot sector jumps to START when MAGIC is here */
#define MAGIC   0x4b524f46U
#define START   0x8010U
#define GDTR    0x8100U
#define ENTRY   0x8108U
#define GDT     0x8120U
#define LONG    0x8200U
#define PARAMS  0x10000U
#define CMDLINE 0x11000U
#define TABLES  0x12000U /* six pages: the first 4 GiB, one to one */

static xenforeignmemory_handle *fmem;
static uint32_t domid;

/* From real mode to 64-bit mode. */
__asm__(".section .rodata\n"
        "to_long: .code16\n"
        "  cli\n  lgdtl 0x8100\n"
        "  movl %cr4, %eax\n  orl $0x20, %eax\n  movl %eax, %cr4\n"
        "  movl $0x12000, %eax\n  movl %eax, %cr3\n"
        "  movl $0xc0000080, %ecx\n  rdmsr\n  orl $0x100, %eax\n  wrmsr\n"
        "  movl %cr0, %eax\n  orl $0x80000001, %eax\n  movl %eax, %cr0\n"
        "  ljmpl $0x10, $0x8200\n"
        "in_long: .code64\n"
        "  movl $0x18, %eax\n  movl %eax, %ds\n  movl %eax, %es\n"
        "  movl %eax, %ss\n  movl $0x10000, %esi\n"
        "  movl $0x8108, %eax\n  jmp *(%rax)\n"
        "in_long_end:\n"
        ".previous\n");
extern const uint8_t to_long[], in_long[], in_long_end[];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void put(uint64_t address, const void *data, uint64_t bytes)
{
    const uint8_t *from = data;

    while (bytes) {
        xen_pfn_t gfn = address / PAGE;
        uint64_t at = address % PAGE, n = PAGE - at < bytes ? PAGE - at : bytes;
        int error;
        uint8_t *page = xenforeignmemory_map(
            fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn, &error);

        if (!page || error)
            die("cannot map a page of the domain");
        memcpy(page + at, from, n);
        xenforeignmemory_unmap(fmem, page, 1);
        address += n;
        from += n;
        bytes -= n;
    }
}

static const uint8_t *map_file(const char *path, size_t *bytes_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *data;

    if (fd < 0 || fstat(fd, &st))
        die(path);
    data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        die(path);
    *bytes_out = (size_t)st.st_size;
    return data;
}

static uint64_t load_kernel(const char *path)
{
    size_t bytes;
    const uint8_t *file = map_file(path, &bytes);
    const Elf64_Ehdr *elf = (const void *)file;
    const Elf64_Phdr *part = (const void *)(file + elf->e_phoff);
    unsigned int i;

    for (i = 0; i < elf->e_phnum; i++)
        if (part[i].p_type == PT_LOAD)
            put(part[i].p_paddr, file + part[i].p_offset, part[i].p_filesz);
    return elf->e_entry;
}

static void set(uint8_t *params, size_t offset, uint32_t value, size_t bytes)
{
    memcpy(params + offset, &value, bytes);
}

static void add_ram(uint8_t *params, uint64_t first, uint64_t end)
{
    uint8_t *entry = params + 0x2d0 + 20 * params[0x1e8]++;
    uint64_t bytes = end - first;

    memcpy(entry, &first, 8);
    memcpy(entry + 8, &bytes, 8);
    entry[16] = 1;
}

static void load_params(uint64_t ram, const char *initrd, const char *cmdline)
{
    uint8_t params[PAGE] = {0};
    size_t bytes;
    const uint8_t *file = map_file(initrd, &bytes);
    uint64_t at = (ram - (4U << 20) - bytes) & ~(uint64_t)(PAGE - 1);

    put(at, file, bytes);
    put(CMDLINE, cmdline, strlen(cmdline) + 1);
    set(params, 0x06, 3, 1); /* VGA's text mode, 80 by 25 */
    set(params, 0x07, 80, 1);
    set(params, 0x0e, 25, 1);
    set(params, 0x0f, 1, 1);
    set(params, 0x10, 16, 2);
    set(params, 0x1fe, 0xaa55, 2);
    memcpy(params + 0x202, "HdrS", 4);
    set(params, 0x206, 0x20f, 2);
    set(params, 0x210, 0xff, 1); /* a loader without a number */
    set(params, 0x211, 1, 1);
    set(params, 0x218, (uint32_t)at, 4);
    set(params, 0x21c, (uint32_t)bytes, 4);
    set(params, 0x228, CMDLINE, 4);
    set(params, 0x230, 2U << 20, 4);
    set(params, 0x238, 2047, 4);
    add_ram(params, 0, 0x9f000);
    add_ram(params, 0x100000, ram - (64U << 10));
    put(PARAMS, params, sizeof(params));
}

static void load_tables(uint64_t entry)
{
    static const uint64_t gdt[] = {0, 0, 0xaf9a000000ffff, 0xcf92000000ffff};
    const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) gdtr = {sizeof(gdt) - 1, GDT};
    static uint64_t tables[6 * 512];
    uint64_t i;

    tables[0] = (TABLES + PAGE) | 3;
    for (i = 0; i < 4; i++)
        tables[512 + i] = (TABLES + (2 + i) * PAGE) | 3;
    for (i = 0; i < 4 * 512U; i++)
        tables[2 * 512 + i] = i << 21 | 0x83;
    put(TABLES, tables, sizeof(tables));
    put(GDT, gdt, sizeof(gdt));
    put(GDTR, &gdtr, sizeof(gdtr));
    put(ENTRY, &entry, sizeof(entry));
    put(START, to_long, (size_t)(in_long - to_long));
    put(LONG, in_long, (size_t)(in_long_end - in_long));
}

int main(int argc, char **argv)
{
    const uint32_t magic = MAGIC;

    fmem = xenforeignmemory_open(NULL, 0);
    if (argc != 6 || !fmem)
        return 2;
    domid = (uint32_t)atoi(argv[1]);
    load_params(strtoull(argv[2], NULL, 0) << 10, argv[4], argv[5]);
    load_tables(load_kernel(argv[3]));
    put(WAIT, &magic, sizeof(magic));
    return 0;
}

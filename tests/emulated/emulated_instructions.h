/* emulated_instructions.h: instructions.cuh for the emulated GPU, from the definitions in NVIDIA's
 * PTX ISA (cp.async, ldmatrix, mma.m16n8k16). */
#ifndef LLMSIM_PROFILE_INSTRUCTIONS_CUH
#define LLMSIM_PROFILE_INSTRUCTIONS_CUH

#include "elements.cuh"

#define DYNAMIC_SHARED(name) unsigned char *const name = emulated::dynamic_shared

namespace attention
{

inline void copy_16(void *to, const void *from, bool valid)
{
    emulated::copy copy = {to, {0}};
    if ((uintptr_t)to % 16 != 0 || (uintptr_t)from % 16 != 0)
        std::abort();
    if (valid)
        std::memcpy(copy.bytes, from, 16);
    if (emulated::copies_land_late)
        emulated::self().groups.back().push_back(copy);
    else
        std::memcpy(to, copy.bytes, 16);
}

inline void commit_copies()
{
    emulated::self().groups.emplace_back();
}

/* All but the last Pending committed groups, and the one that is not. */
template <int Pending> inline void wait_copies()
{
    std::vector<std::vector<emulated::copy>> &groups = emulated::self().groups;
    while (groups.size() > Pending + 1) {
        for (const emulated::copy &copy : groups.front())
            std::memcpy(copy.to, copy.bytes, 16);
        groups.erase(groups.begin());
    }
}

inline uint32_t element_of_row(size_t slot, int matrix, int row, int column)
{
    uint16_t bits;
    std::memcpy(&bits,
                (const char *)emulated::exchanged(slot, 8 * matrix + row).address + 2 * column, 2);
    return bits;
}

inline void load_matrices(uint32_t (&m)[4], const void *row)
{
    emulated::shown shown;
    shown.address = row;
    if ((uintptr_t)row % 16 != 0)
        std::abort();
    const size_t slot = emulated::show(shown);
    const int r = emulated::lane() / 4, c = emulated::lane() % 4 * 2;
    for (int i = 0; i < 4; i++)
        m[i] = element_of_row(slot, i, r, c) | element_of_row(slot, i, r, c + 1) << 16;
    emulated::sync_warp(); /* the rows may change from here on */
}

inline void load_transposed(uint32_t (&m)[4], const void *row)
{
    emulated::shown shown;
    shown.address = row;
    if ((uintptr_t)row % 16 != 0)
        std::abort();
    const size_t slot = emulated::show(shown);
    const int r = emulated::lane() % 4 * 2, c = emulated::lane() / 4;
    for (int i = 0; i < 4; i++)
        m[i] = element_of_row(slot, i, r, c) | element_of_row(slot, i, r + 1, c) << 16;
    emulated::sync_warp();
}

template <typename T> float half_of(uint32_t word, int half)
{
    T x;
    x.bits = (uint16_t)(word >> 16 * half);
    return to_float(x);
}

/* Row r, column k of a: lane 4 (r mod 8) + (k mod 8) / 2, register r / 8 + 2 (k / 8), half k mod 2.
 * Row k, column n of b: lane 4 n + (k mod 8) / 2, register k / 8, half k mod 2. */
template <typename T>
void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    emulated::shown shown;
    std::memcpy(shown.words, a, sizeof a);
    shown.words[4] = b0;
    shown.words[5] = b1;
    const size_t slot = emulated::show(shown);
    const int lane = emulated::lane();
    for (int i = 0; i < 4; i++) {
        const int r = lane / 4 + i / 2 * 8, n = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 16; k++) {
            const uint32_t of_a =
                emulated::exchanged(slot, 4 * (r % 8) + k % 8 / 2).words[r / 8 + 2 * (k / 8)];
            const uint32_t of_b = emulated::exchanged(slot, 4 * n + k % 8 / 2).words[4 + k / 8];
            c[i] += half_of<T>(of_a, k % 2) * half_of<T>(of_b, k % 2);
        }
    }
}

} // namespace attention

#endif

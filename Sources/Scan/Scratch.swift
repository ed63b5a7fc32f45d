/// Memory for one block at a time, taken piece by piece and given back at once.
final class Scratch {
    private var chunks: [UnsafeMutableRawPointer] = []
    private var sizes: [Int] = []
    private var chunk = 0
    private var used = 0

    deinit { for chunk in chunks { chunk.deallocate() } }

    func reset() {
        chunk = 0
        used = 0
    }

    /// Not initialised; aligned to 64 bytes.
    func elements<Element: BitwiseCopyable>(of type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
        let bytes = (max(count, 1) * MemoryLayout<Element>.stride + 63) & ~63
        while chunk < chunks.count, used + bytes > sizes[chunk] {
            chunk += 1
            used = 0
        }
        if chunk == chunks.count {
            sizes.append(max(bytes, 1 << 20))
            chunks.append(.allocate(byteCount: sizes[chunk], alignment: 64))
        }
        defer { used += bytes }
        return (chunks[chunk] + used).bindMemory(to: Element.self, capacity: count)
    }

    func words(_ count: Int) -> UnsafeMutablePointer<UInt64> { elements(of: UInt64.self, count) }

    func zeroCounts(_ count: Int) -> UnsafeMutablePointer<UInt32> {
        let counts = elements(of: UInt32.self, count)
        counts.update(repeating: 0, count: count)
        return counts
    }

    func zeros(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        let words = words(count)
        words.update(repeating: 0, count: count)
        return words
    }
}

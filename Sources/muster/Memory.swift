#if canImport(Glibc)
    import Glibc
#endif

/// How the C library deals with the memory of a server.
enum Memory {
    /// Call first. Bodies and blocks of the Log go back to the system as soon as they are freed, instead of staying in
    /// the holes of one of a dozen heaps: what an hour of overload needed would be held for good.
    static func configure() {
        #if canImport(Glibc)
            guard let symbol = function("mallopt") else { return }
            let mallopt = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
            let (trimThreshold, mapThreshold, heapsMax): (Int32, Int32, Int32) = (-1, -3, -8)
            _ = mallopt(heapsMax, 2)
            _ = mallopt(mapThreshold, 128 << 10)
            _ = mallopt(trimThreshold, 8 << 20)
        #endif
    }

    /// Gives pages that are free in the midst of the heaps back to the system, which the C library never does by itself.
    static func giveBack() {
        #if canImport(Glibc)
            guard let symbol = function("malloc_trim") else { return }
            _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
        #endif
    }

    #if canImport(Glibc)
        /// Swift's module of the C library leaves malloc.h out, so functions are looked up, and their numbers are here.
        private static func function(_ name: String) -> UnsafeMutableRawPointer? { dlsym(dlopen(nil, RTLD_NOW), name) }
    #endif
}

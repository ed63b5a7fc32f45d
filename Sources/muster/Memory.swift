#if canImport(Glibc)
    import Glibc
#endif

/// How the C library deals with the memory of a server.
enum Memory {
    /// Call first. Bodies and blocks of the Log go back to the system as soon as they are freed, instead of staying in
    /// the holes of one of a dozen heaps: what an hour of overload needed would be held for good.
    static func configure() {
        #if canImport(Glibc)
            // Swift's module of the C library leaves malloc.h out, so the function is looked up and its numbers are here.
            guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "mallopt") else { return }
            let mallopt = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
            let (trimThreshold, mapThreshold, heapsMax): (Int32, Int32, Int32) = (-1, -3, -8)
            _ = mallopt(heapsMax, 2)
            _ = mallopt(mapThreshold, 128 << 10)
            _ = mallopt(trimThreshold, 8 << 20)
        #endif
    }
}

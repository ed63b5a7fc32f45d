import CZlib

/// Why a compressed body could not be read.
enum InflateError: Error {
    /// It expands to more than the limit.
    case tooLarge
    case corrupt
}

/// Decompresses gzip, several members included, into at most `bytesMax` bytes: no body can make the output larger
/// (spec: collection §1.6-1).
func inflateGzip(_ compressed: [UInt8], bytesMax: Int) throws(InflateError) -> [UInt8] {
    var stream = z_stream()
    // 15 bits of window, plus 16: gzip only.
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw .corrupt
    }
    defer { inflateEnd(&stream) }
    var failure: InflateError?
    let capacity = bytesMax + 1
    let output = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        failure = compressed.withUnsafeBufferPointer { input -> InflateError? in
            // zlib reads through this pointer and never writes.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = UInt32(input.count)
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(capacity)
            while true {
                let status = inflate(&stream, Z_FINISH)
                if stream.avail_out == 0 { return .tooLarge }
                guard status == Z_STREAM_END else { return .corrupt }
                if stream.avail_in == 0 { return nil }
                inflateReset(&stream)
            }
        }
        count = failure == nil ? capacity - Int(stream.avail_out) : 0
    }
    if let failure { throw failure }
    return output
}

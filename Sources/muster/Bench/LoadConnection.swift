import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// A plain connection that sends requests and reads answers: the cheapest client there is.
final class LoadConnection {
    struct Answer {
        var status = 0
        var hasRetryAfter = false
        var body: [UInt8] = []
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let socket: Int32
    private var received: [UInt8] = []

    init(port: Int) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "can't connect: \(String(cString: strerror(errno)))") }
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(description: "can't send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// The next answer. It must say its length.
    func receive() throws -> Answer {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = String(decoding: received[..<end], as: UTF8.self).lowercased().split(separator: "\r\n")
                guard let line = head.first?.split(separator: " "), line.count > 1, let status = Int(line[1]) else {
                    throw Failure(description: "no HTTP answer")
                }
                var length = 0
                var answer = Answer(status: status)
                for field in head.dropFirst() {
                    if field.hasPrefix("content-length:") {
                        length = Int(field.dropFirst(15).trimmingCharacters(in: .whitespaces)) ?? 0
                    }
                    if field.hasPrefix("retry-after:") { answer.hasRetryAfter = true }
                }
                while received.count < end + length { try read() }
                answer.body = Array(received[end..<end + length])
                received.removeFirst(end + length)
                return answer
            }
            try read()
        }
    }

    private func read() throws {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = buffer.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { throw Failure(description: "the server closed the connection") }
        received += buffer[..<count]
    }
}

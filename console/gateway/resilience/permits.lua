-- Take one permit of a provider, for a lane, and count it against the provider's minute.
-- KEYS: permits of the provider, permits of the lane there, this provider's minute.
-- ARGV: permit, lease in ms, most at once (0: any), most of the lane (0: any), requests a minute (0: any),
--       tokens a minute (0: any), tokens of this call.
-- Returns 1 when taken, 0 when all are held, -1 when the minute is used up.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 1, 2 do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
    local most = tonumber(ARGV[2 + i])
    if most > 0 and redis.call('ZCARD', KEYS[i]) >= most then
        return 0
    end
end
local requests, tokens = tonumber(ARGV[5]), tonumber(ARGV[6])
if requests > 0 or tokens > 0 then
    local minute = tostring(math.floor(now / 60000))
    if redis.call('HGET', KEYS[3], 'minute') ~= minute then
        redis.call('DEL', KEYS[3])
        redis.call('HSET', KEYS[3], 'minute', minute)
        redis.call('PEXPIRE', KEYS[3], 120000)
    end
    local used = tonumber(redis.call('HGET', KEYS[3], 'requests') or '0')
    local spent = tonumber(redis.call('HGET', KEYS[3], 'tokens') or '0')
    if (requests > 0 and used >= requests) or (tokens > 0 and spent > 0 and spent + tonumber(ARGV[7]) > tokens) then
        return -1
    end
    redis.call('HINCRBY', KEYS[3], 'requests', 1)
    redis.call('HINCRBY', KEYS[3], 'tokens', ARGV[7])
end
for i = 1, 2 do
    redis.call('ZADD', KEYS[i], now + tonumber(ARGV[2]), ARGV[1])
    redis.call('PEXPIRE', KEYS[i], tonumber(ARGV[2]) * 2)
end
return 1
